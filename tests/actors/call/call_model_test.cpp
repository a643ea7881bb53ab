// A call in random orders against a model of its own, written down from the description: its life, what it is part of,
// and the bridges, transfers and parking built on it. After each step the call is where the model is, every timer that
// must be armed is, and at the end there was one record.
#include <algorithm>
#include <set>

#include "actors/call/call.hpp"
#include "tests/actors/orders.hpp"

namespace switchboard::telephony {
namespace {

using namespace std::chrono_literals;

struct call_model {
  std::string status = "dialing"; ///< gone: forgotten
  bool incoming = false, to_be_deleted = false, held = false;
  unsigned mute = 0; ///< 1 in, 2 out
  std::string queue, conference, reason, by, keys;
  std::string wanted_reason;
  bool ever_rang = false, ever_answered = false, plays = false, records = false;
  std::set<std::string> followers, chained;
  std::string master;
  // Who it talks to, and who it is getting hold of.
  std::string peer; ///< a call; empty: nobody
  enum class want { none, bridge, connect, transfer, consult, take_back, unpark } other = want::none;
  bool other_dialed = false, other_talks = false, connected_for_flow = false, other_for_flow = false;
  std::string transferer;
  enum class moving { no, finding, going, calling, consulting } transfer = moving::no;
  bool attended = false, parked = false, parker_known = false, was_transferred = false;
  int records_written = 0, pressed = 0;

  bool live() const { return status == "dialing" || status == "ringing" || status == "progressing"; }
  bool talks() const { return status == "progressing"; }
  bool free() const {
    return peer.empty() && other == want::none && transfer == moving::no && queue.empty() && conference.empty();
  }
  void hang_up(const std::string& why = {}) {
    if (!live())
      return;
    status = !incoming && !talks() ? "canceling" : "terminating";
    wanted_reason = why;
  }
  void over(const std::string& cause) {
    if (status == "hangup")
      return;
    by = live() ? "remote" : "local";
    if (!wanted_reason.empty())
      reason = wanted_reason;
    else if (status == "canceling")
      reason = "cancel";
    else if (status == "terminating" || talks())
      reason = "normal";
    else if (cause == "busy")
      reason = "busy";
    else if (cause == "no_answer" || (cause == "rejected" && !incoming))
      reason = "noanswer";
    else if (cause == "normal" || incoming)
      reason = "normal";
    else
      reason = cause.empty() ? "dialout" : "failed";
    const auto was = *this;
    *this = {};
    status = was.to_be_deleted ? "gone" : "hangup";
    incoming = was.incoming;
    by = was.by;
    reason = was.reason;
    keys = was.keys;
    ever_rang = was.ever_rang;
    ever_answered = was.ever_answered;
    records_written = 1;
  }
  /// The second call is there.
  void got_hold(const std::string& who) {
    if (other == want::consult) {
      other_talks = true;
      transfer = moving::consulting;
      return;
    }
    if (other == want::transfer) {
      queue.clear();
      conference.clear();
      was_transferred = true;
    }
    connected_for_flow = connected_for_flow || (other == want::connect && other_for_flow);
    parked = parker_known = false;
    other = want::none;
    peer = who;
  }
  void lost_hold() {
    const auto what = std::exchange(other, want::none);
    other_talks = false;
    if (what == want::consult)
      transfer = moving::no;
    else if (what == want::take_back)
      hang_up("park_timeout");
    else if (what == want::transfer && peer.empty() && conference.empty())
      std::exchange(connected_for_flow, false) ? void() : hang_up();
  }
  /// The party it consulted is with the transferee; if that was asked for, the transferee says how it ends.
  void handed_over() {
    other = want::none;
    other_talks = false;
    if (transfer != moving::going)
      transfer = moving::no;
  }
  void peer_left(bool its_over, const std::string& second) {
    peer.clear();
    if (transfer != moving::no) {
      const bool consulting = other == want::consult && other_talks;
      transfer = moving::no;
      other = want::none;
      other_talks = false;
      if (consulting) {
        peer = second;
        return;
      }
    }
    if (other == want::transfer)
      return;
    if (std::exchange(connected_for_flow, false))
      return;
    if (its_over)
      hang_up();
  }
};

class call_order {
public:
  explicit call_order(std::uint64_t seed) : dice_(seed), call_(call_type(), "c", seed) {
    m_.incoming = dice_.once_in(4);
    call_.request("POST", "/v1/calls",
                  {{"customer_id", "t"},
                   {"source", "+1"},
                   {"destination", "+2"},
                   {"direction", m_.incoming ? "incoming" : "outgoing"}});
    if (m_.incoming)
      m_.status = "ringing";
    if (!dice_.once_in(4)) { // most of what can happen happens in answered calls
      from_trunk("answered");
      answered();
    }
    m_.ever_rang = m_.incoming;
    check("created");
  }

  void run() {
    const auto steps = 8 + dice_.roll(23);
    for (std::size_t i = 0; i < steps && call_.state && !testing::Test::HasFailure(); ++i) {
      const auto before = m_.status;
      call_.now += milliseconds{static_cast<std::int64_t>(dice_.roll(3000))};
      check(step() + " while " + before);
    }
  }

private:
  using want = call_model::want;
  using moving = call_model::moving;

  void from_trunk(const char* name, json body = json::object()) { call_.tell({"trunk", "c"}, name, body); }
  void ask(int expected, const char* method, const std::string& rest, const json& body = nullptr) {
    call_.request(method, "/v1/calls/c" + rest, body);
    EXPECT_EQ(call_.answered, expected) << method << " " << rest;
  }
  int ok_if(bool fine) { return fine ? 200 : 409; }
  void answered() {
    if (m_.status == "dialing" || m_.status == "ringing") {
      m_.status = "progressing";
      m_.ever_answered = true;
    }
  }
  /// What stands in the call now: the names of bridges are its own invention.
  std::string other_id() const {
    return call_.state && call_.state->parts->other ? call_.state->parts->other->call_id : "nobody";
  }
  std::string other_token() const {
    return call_.state && call_.state->parts->other ? call_.state->parts->other->token : "none";
  }
  std::string peer_token() const {
    return call_.state && call_.state->parts->peer ? call_.state->parts->peer->token : "none";
  }
  std::string transfer_id() const {
    return call_.state && call_.state->parts->moving ? call_.state->parts->moving->id : "none";
  }

  std::string step() {
    switch (dice_.roll(8)) {
    case 0:
      return life();
    case 1:
      return timer();
    case 2:
      return sound();
    case 3:
      return company();
    case 4:
      return bridge_request();
    case 5:
      return bridge_news();
    case 6:
      return transfer_news();
    default:
      return dice_.once_in(2) ? bridge_request() : bridge_news();
    }
  }

  std::string life() {
    switch (dice_.roll(9)) {
    case 0:
      from_trunk("ringing");
      if (m_.status == "dialing")
        m_.status = "ringing";
      return "ringing";
    case 1:
    case 2:
      from_trunk("answered");
      answered();
      return "answered";
    case 3: {
      static const std::string causes[] = {"", "busy", "normal", "no_answer", "rejected", "unreachable"};
      const auto& cause = dice_.one_of(causes);
      if (dice_.once_in(3)) {
        from_trunk("hung_up", {{"reason", cause}});
        m_.over(cause);
      }
      return "hung_up " + cause;
    }
    case 4:
      if (dice_.once_in(3)) {
        ask(200, "POST", "/hangup");
        m_.hang_up();
      }
      return "hang up";
    case 5:
      ask(m_.talks() ? 200 : m_.incoming && m_.status == "ringing" ? 200 : 409, "POST", "/answer");
      return "answer";
    case 6:
      if (dice_.once_in(6)) {
        const bool was_over = m_.status == "hangup";
        ask(200, "DELETE", "");
        m_.hang_up();
        m_.to_be_deleted = true;
        if (was_over)
          m_.status = "gone";
      }
      return "delete";
    case 7:
      if (dice_.once_in(3)) {
        // A stranger's room may not, a flow may.
        const bool room = dice_.once_in(2);
        call_.tell(room ? sdk::entity_ref{"conference", "stranger"} : sdk::entity_ref{"flow", "f"}, "hang_up",
                   {{"reason", "insufficient_balance"}});
        if (!room)
          m_.hang_up("insufficient_balance");
      }
      return "hang up for somebody";
    default:
      call_.tell({"queue", "q"}, "create", {{"customer_id", "t"}});
      return "create again";
    }
  }

  std::string timer() {
    static const std::string names[] = {"dial_timeout", "max_duration", "release", "forget",
                                        "reach",        "transfer",     "park",    "recording"};
    const std::string name = dice_.one_of(names);
    const auto armed = call_.timers.find(name);
    const bool is_armed = armed != call_.timers.end();
    if (!is_armed || !dice_.once_in(2)) { // a late one of another time
      const auto kept = call_.timers;
      if (name == "forget" || name == "release" || name == "dial_timeout" || name == "max_duration") {
        if (is_armed)
          return "no timer"; // these carry nothing that tells one from another
      }
      call_.fire(name, {{"token", "old"}, {"transfer_id", "old"}, {"recording_id", "old"}, {"since", 5}});
      if (!call_.state) {
        m_.status = "gone"; // a forget that was not armed: only keep_ms 0, never here
        ADD_FAILURE() << "forgotten by a timer that was not armed";
      }
      call_.timers = kept;
      return "late " + name;
    }
    call_.fire(name, json(armed->second.payload));
    if (name == "dial_timeout")
      m_.hang_up("noanswer");
    else if (name == "max_duration")
      m_.hang_up("timeout");
    else if (name == "release")
      m_.over("");
    else if (name == "forget")
      m_.status = "gone";
    else if (name == "reach")
      m_.lost_hold();
    else if (name == "recording")
      m_.records = false;
    else if (name == "park")
      park_time_is_over();
    else if (m_.transfer == moving::going && m_.other == want::consult && m_.other_talks)
      m_.transfer = moving::consulting;
    else
      m_.transfer = moving::no;
    return name;
  }
  void park_time_is_over() {
    if (!m_.talks() || m_.other != want::none)
      return;
    if (m_.parker_known) {
      m_.other = want::take_back;
      m_.other_dialed = true;
    } else {
      m_.hang_up("park_timeout");
    }
  }

  std::string sound() {
    static const char* words[] = {"", "in", "out", "both"};
    switch (dice_.roll(8)) {
    case 0: {
      const bool on = dice_.once_in(2);
      ask(ok_if(m_.talks()), on ? "POST" : "DELETE", "/hold");
      if (m_.talks())
        m_.held = on;
      return "hold";
    }
    case 1: {
      const bool on = dice_.once_in(2);
      const auto bits = static_cast<unsigned>(1 + dice_.roll(3));
      ask(ok_if(m_.talks()), on ? "POST" : "DELETE", "/mute", {{"direction", words[bits]}});
      if (m_.talks())
        m_.mute = on ? m_.mute | bits : m_.mute & ~bits;
      return "mute";
    }
    case 2:
      ask(ok_if(m_.talks()), "POST", "/play", {{"media_urls", {"https://a"}}});
      m_.plays = m_.plays || m_.talks();
      return "play";
    case 3: {
      const bool right = dice_.once_in(2);
      const auto id = right && call_.state->parts->play ? call_.state->parts->play->play_id : "old";
      from_trunk("play_finished", {{"play_id", id}});
      m_.plays = m_.plays && !right;
      return "play_finished";
    }
    case 4:
      ask(200, "POST", "/media_stop");
      m_.plays = false;
      return "media_stop";
    case 5:
      ask(ok_if(m_.talks() && !m_.records), "POST", "/recording_start", {{"duration", dice_.roll(3)}});
      m_.records = m_.records || m_.talks();
      return "recording_start";
    case 6:
      ask(200, "POST", "/recording_stop");
      m_.records = false;
      return "recording_stop";
    default: {
      const bool again = dice_.once_in(2);
      from_trunk("digit", {{"digit", "5"}, {"sequence", m_.pressed + (again ? 0 : 1)}});
      if (m_.talks() && (!again || m_.pressed == 0)) // 0: it says nothing of repeats
        m_.keys += "5";
      m_.pressed += m_.talks() && !again;
      return "digit";
    }
    }
  }

  std::string company() {
    static const std::string names[] = {"x", "y"};
    const std::string who = dice_.one_of(names);
    const bool elsewhere = !m_.peer.empty() || m_.other != want::none || m_.parked;
    switch (dice_.roll(12)) {
    case 0: {
      call_.tell({"queue", who}, "join_queue", {{"customer_id", "t"}});
      const bool may = m_.live() && (m_.queue.empty() || m_.queue == who) && m_.conference.empty() && !elsewhere;
      if (may)
        m_.queue = who;
      EXPECT_TRUE(call_.sent_to("queue", may ? "call_joined" : "call_refused"));
      return "join_queue";
    }
    case 1:
      call_.tell({"queue", who}, "leave_queue");
      if (m_.queue == who)
        m_.queue.clear();
      return "leave_queue";
    case 2:
    case 3: {
      call_.tell({"conference", who}, "join_conference", {{"customer_id", "t"}, {"visit", 1}});
      const bool may = m_.talks() && (m_.conference.empty() || m_.conference == who) && !elsewhere;
      if (may)
        m_.conference = who;
      EXPECT_TRUE(call_.sent_to("conference", may ? "call_joined" : "call_refused"));
      return "join_conference";
    }
    case 4:
      call_.tell({"conference", who}, "leave_conference");
      if (m_.conference == who)
        m_.conference.clear();
      return "leave_conference";
    case 5: {
      const bool queue = dice_.once_in(2);
      if (!dice_.once_in(3))
        return "nothing";
      call_.tell({queue ? "queue" : "conference", who}, "hang_up");
      const bool its_own = who == (queue ? m_.queue : m_.conference);
      const bool is_nowhere = m_.free() && !m_.parked;
      if (!its_own && queue && !m_.was_transferred && is_nowhere)
        m_.hang_up();
      if (its_own) {
        if (m_.other == want::transfer) {
          m_.queue.clear();
          m_.conference.clear();
        } else {
          m_.hang_up();
        }
      }
      return "its room hangs it up";
    }
    case 6:
      call_.tell({"conference", who}, "check", {{"check", 3}});
      EXPECT_EQ(call_.sent_to("conference", "call_status")->body["inside"],
                !m_.conference.empty() && m_.conference == who);
      return "check";
    case 7:
      call_.tell({"flow", who}, "follow", {{"customer_id", "t"}});
      if (m_.live())
        m_.followers.insert(who);
      EXPECT_TRUE(call_.sent_to("flow", m_.live() ? "call_followed" : "call_refused"));
      return "follow";
    case 8:
      call_.tell({"flow", who}, "unfollow");
      m_.followers.erase(who);
      return "unfollow";
    case 9:
      ask(ok_if(m_.live()), "POST", "/chained-call-ids", {{"chained_call_id", who}});
      if (m_.live())
        m_.chained.insert(who);
      return "chain";
    case 10:
      call_.tell({"call", who}, dice_.once_in(2) ? "chain_refused" : "chained_ended");
      m_.chained.erase(who);
      return "off the chain";
    default: {
      if (dice_.once_in(2)) {
        call_.tell({"call", who}, "chain_to", {{"customer_id", "t"}});
        if (m_.live() && m_.master.empty())
          m_.master = who;
        return "chain_to";
      }
      if (!dice_.once_in(3))
        return "nothing";
      call_.tell({"call", who}, "master_ended");
      if (m_.master == who)
        m_.hang_up();
      return "master_ended";
    }
    }
  }

  void begin(want what, bool dialed) {
    m_.other = what;
    m_.other_dialed = dialed;
    m_.other_talks = m_.other_for_flow = false;
  }

  std::string bridge_request() {
    const json number{{"destination", "+3"}, {"dial_timeout_ms", 1000}};
    switch (dice_.roll(9)) {
    case 0: {
      const bool already = m_.talks() && m_.peer == "b";
      ask(!m_.talks() ? 409 : already ? 200 : ok_if(m_.free()), "POST", "/bridge", {{"call_id", "b"}});
      if (m_.talks() && !already && m_.free())
        begin(want::bridge, false);
      return "bridge";
    }
    case 1: {
      const bool may = !m_.peer.empty() && m_.transfer == moving::no && m_.other == want::none;
      ask(ok_if(may), "DELETE", "/bridge");
      if (may)
        m_.peer_left(false, {});
      return "unbridge";
    }
    case 2: {
      const bool may = m_.talks() && m_.free();
      ask(ok_if(may), "POST", "/connect", number);
      if (may)
        begin(want::connect, true);
      return "connect";
    }
    case 3: {
      const sdk::entity_ref who{dice_.once_in(2) ? "flow" : "queue", "x"};
      auto alone = m_;
      if (who.type == "queue" && m_.queue == who.id) // the queue it waits in may connect it
        alone.queue.clear();
      const bool may = m_.talks() && alone.free();
      json body = number;
      body["customer_id"] = "t";
      body["connect_id"] = "id" + std::to_string(dice_.roll(1000000));
      call_.tell(who, "connect", body);
      EXPECT_EQ(call_.sent_to(who.type.c_str(), "connect_finished") != nullptr, !may);
      if (may) {
        begin(want::connect, true);
        m_.other_for_flow = true;
      }
      return "connect for a flow";
    }
    case 4: {
      const bool may = m_.talks() && m_.other == want::none && m_.transfer == moving::no && m_.queue.empty() &&
                       m_.conference.empty();
      const bool with_address = dice_.once_in(2);
      const json body = with_address ? json{{"return_to", "+9"}} : json::object();
      ask(!m_.talks() ? 409 : ok_if(m_.parked || may), "POST", "/park", body);
      if (may && !m_.parked) {
        m_.parked = true;
        m_.parker_known = with_address || !m_.peer.empty();
        m_.peer.clear();
        m_.connected_for_flow = false;
      }
      return "park";
    }
    case 5: {
      const bool may = m_.talks() && m_.parked;
      const auto how = dice_.roll(3);
      ask(ok_if(may), "DELETE", "/park", how == 0 ? json::object() : how == 1 ? json{{"call_id", "b"}} : number);
      if (may && how == 0) {
        m_.parked = m_.parker_known = false;
        m_.other = want::none;
      } else if (may) {
        begin(want::unpark, how == 2);
      }
      return "unpark";
    }
    case 6:
    case 7: {
      m_attended_ = dice_.once_in(2);
      const bool to_call = dice_.once_in(2);
      json body = to_call ? json{{"call_id", "third"}} : number;
      body["type"] = m_attended_ ? "attended" : "blind";
      const bool may = m_.talks() && m_.transfer == moving::no && m_.other == want::none &&
                       (!m_.peer.empty() || !m_.conference.empty());
      const bool same = may && to_call && m_.peer == "third"; // to whom it talks already
      ask(same ? 400 : ok_if(may), "POST", "/transfer", body);
      if (may && !same) {
        m_.attended = m_attended_;
        to_call_ = to_call;
        m_.transfer = moving::finding;
        if (!m_.peer.empty())
          found();
      }
      return m_attended_ ? "attended transfer" : "blind transfer";
    }
    default: {
      if (dice_.once_in(2)) {
        const bool may = m_.transfer == moving::consulting;
        ask(ok_if(may || (m_.transfer == moving::going && m_.attended)), "POST", "/transfer/complete");
        if (may)
          m_.transfer = moving::going;
        return "complete";
      }
      ask(ok_if(m_.transfer != moving::no), "DELETE", "/transfer");
      if (m_.transfer != moving::no && m_.transfer != moving::going) {
        m_.transfer = moving::no;
        m_.other = want::none;
        m_.other_talks = false;
      }
      return "cancel";
    }
    }
  }
  void found() {
    if (m_.attended) {
      m_.transfer = moving::calling;
      begin(want::consult, !to_call_);
    } else {
      m_.transfer = moving::going;
    }
  }

  std::string bridge_news() {
    const bool right = !dice_.once_in(4);
    switch (dice_.roll(7)) {
    case 0: { // somebody else asks
      const bool replaces = dice_.once_in(3);
      const auto old = peer_token();
      json body{{"customer_id", "t"}, {"token", "tok" + std::to_string(dice_.roll(1000000))}, {"party", "+5"}};
      if (replaces)
        body["replaces"] = old;
      call_.tell({"call", "asker"}, "peer_ask", body);
      const bool may = m_.talks() &&
                       (replaces ? !m_.peer.empty() && m_.other == want::none && m_.transfer == moving::no : m_.free());
      EXPECT_TRUE(call_.sent_to("call", may ? "peer_taken" : "peer_refused"));
      if (may) {
        m_.peer = "asker";
        m_.parked = m_.parker_known = false;
      }
      return "peer_ask";
    }
    case 1: {
      const auto id = other_id();
      const bool repeat = m_.other == want::none;
      call_.tell({"call", id}, "peer_taken", {{"token", right ? other_token() : "old"}, {"party", "+6"}});
      if (right && !repeat && m_.talks() && !m_.other_dialed && !m_.other_talks)
        m_.got_hold(id);
      return "peer_taken";
    }
    case 2:
      call_.tell({"call", other_id()}, "peer_refused", {{"token", right ? other_token() : "old"}});
      if (right && m_.other != want::none && !m_.other_dialed && !m_.other_talks)
        m_.lost_hold();
      return "peer_refused";
    case 3:
    case 4: {
      const auto id = right ? other_id() : "somebody";
      if (dice_.once_in(2)) {
        call_.tell({"call", id}, "call_answered", {{"call_id", id}});
        if (right && m_.other != want::none && m_.other_dialed && !m_.other_talks && m_.talks())
          m_.got_hold(id);
        return "call_answered";
      }
      if (right && m_.other != want::none && m_.other_dialed) {
        call_.tell({"call", id}, "call_ended", {{"call_id", id}, {"reason", "busy"}});
        m_.lost_hold();
      } else if (right && !m_.peer.empty()) {
        const auto second = other_id();
        call_.tell({"call", m_.peer}, "call_ended", {{"reason", "normal"}});
        m_.peer_left(true, second);
      } else {
        call_.tell({"call", "somebody"}, "call_ended", {{"reason", "normal"}});
      }
      return "call_ended";
    }
    case 5: {
      const bool handed_over = dice_.once_in(3);
      call_.tell({"call", other_id()}, "peer_gone",
                 {{"token", right ? other_token() : "old"}, {"reason", handed_over ? "transferred" : "normal"}});
      if (right && handed_over && m_.other == want::consult && m_.other_talks)
        m_.handed_over();
      else if (right && m_.other != want::none)
        m_.lost_hold();
      return "other's peer_gone";
    }
    default: {
      const bool over = dice_.once_in(2);
      const auto second = other_id();
      call_.tell({"call", m_.peer}, "peer_gone", {{"token", right ? peer_token() : "old"}, {"hang_up", over}});
      if (right && !m_.peer.empty())
        m_.peer_left(over, second);
      return "peer_gone";
    }
    }
  }

  std::string transfer_news() {
    const bool right = !dice_.once_in(4);
    switch (dice_.roll(6)) {
    case 0: {
      const auto count = dice_.roll(3);
      json ids = json::array();
      for (std::size_t i = 0; i < count; ++i)
        ids.push_back("p" + std::to_string(i));
      call_.tell({"conference", m_.conference}, "others",
                 {{"transfer_id", right ? transfer_id() : "old"}, {"call_ids", ids}});
      if (right && m_.transfer == moving::finding)
        count == 1 ? found() : void(m_.transfer = moving::no);
      return "others";
    }
    case 1:
    case 2: {
      const bool by_room = dice_.once_in(2);
      const bool dial = dice_.once_in(2);
      json body{{"customer_id", "t"},
                {"transfer_id", "move" + std::to_string(dice_.roll(1000000))},
                {"dial_timeout_ms", 1000}};
      body["bond"] = !right ? "old" : by_room ? m_.conference : peer_token();
      dial ? body["destination"] = "+4" : body["call_id"] = "target";
      if (!dial)
        body["replaces"] = "their bridge";
      const bool ours = right && (by_room ? !m_.conference.empty() : !m_.peer.empty());
      const bool may = ours && m_.talks() && m_.other == want::none && m_.transfer == moving::no;
      call_.tell({"call", m_.peer.empty() ? "t" : m_.peer}, "transfer_to", body);
      EXPECT_EQ(call_.sent_to("call", "transfer_failed") == nullptr, may);
      if (may)
        begin(want::transfer, dial);
      return "transfer_to";
    }
    case 3: {
      const auto& other = call_.state->parts->other;
      call_.tell({"call", "t"}, "transfer_cancel", {{"transfer_id", right && other ? other->request_id : "old"}});
      if (right && m_.other == want::transfer)
        m_.lost_hold();
      return "transfer_cancel";
    }
    case 4: {
      const auto second = other_id();
      call_.tell({"call", m_.peer.empty() ? "t" : m_.peer}, "transfer_done",
                 {{"transfer_id", right ? transfer_id() : "old"}, {"call_id", "new"}});
      if (right && m_.transfer != moving::no) {
        m_.transfer = moving::no;
        m_.other = want::none;
        m_.other_talks = false;
        m_.peer.clear();
        m_.hang_up();
      } else if (!m_.peer.empty()) {
        m_.peer_left(true, second);
      }
      return "transfer_done";
    }
    default:
      call_.tell({"call", "x"}, "transfer_failed",
                 {{"transfer_id", right ? transfer_id() : "old"}, {"reason", "busy"}});
      if (right && m_.other == want::consult && m_.other_talks)
        m_.transfer = moving::consulting;
      else if (right && m_.transfer == moving::going)
        m_.transfer = moving::no;
      return "transfer_failed";
    }
  }

  void check(const std::string& after) {
    ASSERT_EQ(call_.state ? std::string{sdk::text(call_.state->status)} : "gone", m_.status) << after;
    EXPECT_EQ(call_.count_of_event("call.ended"), m_.records_written) << after;
    EXPECT_EQ(call_.count_of_event("call.record"), m_.records_written) << after;
    if (!call_.state)
      return;
    const auto& c = *call_.state;
    const auto& p = *c.parts;
    EXPECT_EQ(c.ending->by, m_.by) << after;
    EXPECT_EQ(c.ending->reason, m_.reason) << after;
    EXPECT_EQ(c.held, m_.held) << after;
    const char* words[] = {"", "in", "out", "both"};
    EXPECT_EQ(p.mute, words[m_.mute]) << after;
    EXPECT_EQ(c.queue_id, m_.queue) << after;
    EXPECT_EQ(c.conference_id, m_.conference) << after;
    EXPECT_EQ(p.digits, m_.keys) << after;
    EXPECT_EQ(p.play.has_value(), m_.plays) << after;
    EXPECT_EQ(p.record.has_value(), m_.records) << after;
    EXPECT_EQ(p.peer ? p.peer->call_id : "", m_.peer) << after;
    EXPECT_EQ(p.master_call_id, m_.master) << after;
    EXPECT_EQ(p.parked.has_value(), m_.parked) << after;
    EXPECT_EQ(p.connect.has_value(), m_.connected_for_flow) << after;
    const char* wants[] = {"none", "bridge", "connect", "transfer", "consult", "take_back", "unpark"};
    EXPECT_EQ(p.other ? sdk::text(p.other->purpose) : "none", wants[static_cast<int>(m_.other)]) << after;
    const char* phases[] = {"no", "finding", "going", "calling", "consulting"};
    EXPECT_EQ(p.moving ? sdk::text(p.moving->phase) : "no", phases[static_cast<int>(m_.transfer)]) << after;
    EXPECT_EQ(std::set<std::string>(p.chained.begin(), p.chained.end()), m_.chained) << after;
    EXPECT_EQ(p.followers.size(), m_.followers.size()) << after;
    // A way out: exactly the timers the status calls for, and one for whatever is awaited.
    const bool rings = m_.status == "dialing" || m_.status == "ringing";
    const bool ends = m_.status == "terminating" || m_.status == "canceling";
    const auto armed = [&](const char* name) { return call_.timers.contains(name); };
    EXPECT_EQ(armed("dial_timeout"), rings) << after;
    EXPECT_EQ(armed("max_duration"), m_.talks()) << after;
    EXPECT_EQ(armed("release"), ends) << after;
    EXPECT_EQ(armed("forget"), m_.status == "hangup") << after;
    EXPECT_EQ(armed("reach"), m_.other != want::none && !m_.other_talks) << after;
    EXPECT_TRUE(!m_.parked || !m_.talks() || armed("park") || armed("reach")) << after;
    EXPECT_EQ(armed("transfer"), m_.transfer == moving::finding || m_.transfer == moving::going) << after;
    // A state is what it was when it is read back.
    if (dice_.once_in(16)) {
      EXPECT_EQ(json(json(c).get<call>()), json(c)) << after;
    }
  }

  order_dice dice_;
  driven<call> call_;
  call_model m_;
  bool m_attended_ = false, to_call_ = false;
};

TEST(call_model, does_what_its_model_does_in_every_order) {
  run_orders([](std::uint64_t seed) { call_order(seed).run(); });
}

} // namespace
} // namespace switchboard::telephony
