// A queue against a reference model: random orders of what callers, agents, their calls, conferences, other queues and
// timers do. The model looks at everybody and sorts; it knows nothing of the queue's rules and indexes. After each
// input: every caller in the same phase with the same agents asked, exactly the messages sent that had to be, the
// totals equal to a recount of the events, and each caller with a way out that needs nobody's help.
#include <algorithm>
#include <set>

#include "actors/queue/queue.hpp"
#include "tests/actors/orders.hpp"

namespace switchboard::telephony {
namespace {

using namespace std::chrono_literals;

struct model_agent {
  std::string id, status = "unknown";
  int free = 0, penalty = 0;
  std::int64_t sequence = -1, order = 0;
  time_point since{};
  bool tagged = false;
  int skill = 0; ///< level of "french"
  std::uint64_t number = 0, calls = 0;
  milliseconds talk{};
};

struct model_offer {
  std::string agent, id, leg;
};

struct model_caller {
  std::string call, phase = "initiating", owner, id;
  int priority = 0, french = 0;
  std::uint64_t number = 0;
  time_point joined{}, connected{}, not_before{};
  std::vector<model_offer> offers;
  std::set<std::string> tried;
  std::string agent, offer, leg, conference, overflow_reason;
  bool caller_in = false, agent_in = false, is_virtual = false;
  int callbacks = 0, tries = 0;

  bool in(std::initializer_list<const char*> phases) const {
    return std::any_of(phases.begin(), phases.end(), [&](const auto* one) { return phase == one; });
  }
  bool wants() const { return in({"waiting", "offered", "dialing"}); }
  bool has_call() const { return !is_virtual || in({"calling_back", "joining", "service", "overflowing"}); }
};

class queue_order {
public:
  explicit queue_order(std::uint64_t seed) : dice_(seed), entity_(queue_type(), "q", seed) {}

  void run() {
    make_queue();
    for (std::size_t i = 0, count = 1 + roll(3); i < count; ++i)
      add_agent(std::string(1, static_cast<char>('A' + i)));
    // Short ones fail where one can read why; the long ones get to talks with others waiting.
    const auto steps = roll(16) ? 8 + roll(8) : 40 + roll(80);
    for (std::uint64_t i = 0; i < steps && !failed(); ++i)
      step();
    go_home();
  }

private:
  static bool failed() { return ::testing::Test::HasFailure(); }
  std::uint64_t roll(std::uint64_t sides) { return dice_.roll(sides); }

  // -- what happens
  // ----------------------------------------------------------------------------------------------------

  void make_queue() {
    const std::vector<std::string> methods{"longest_idle",    "linear",      "fewest_calls",
                                           "least_talk_time", "round_robin", "ring_all"};
    method_ = methods[roll(methods.size())];
    parallel_ = roll(2) ? 0 : roll(4);
    at_once_ = parallel_ > 0 ? parallel_ : method_ == "ring_all" ? 50 : 1;
    ageing_ = roll(2) ? 0s : 60s;
    relaxes_ = roll(2) != 0;
    tagged_ = roll(3) == 0;
    overflows_ = roll(2) != 0;
    nobody_overflows_ = roll(4) == 0;
    max_length_ = roll(3) ? 0 : 2;
    wrap_up_ = roll(2) ? 0s : 2s;
    json body{{"customer_id", "customer-1"},
              {"routing_method", method_},
              {"parallel_offers", parallel_},
              {"priority_ageing_ms", ageing_.count() * 1000},
              {"wait_timeout", roll(2) ? 0 : 20000},
              {"service_timeout", roll(2) ? 0 : 30000},
              {"ring_timeout_ms", 3000},
              {"wrap_up_ms", wrap_up_.count() * 1000},
              {"max_length", max_length_},
              {"announce_interval_ms", roll(8) ? 0 : 8000},
              {"when_no_agents", nobody_overflows_ ? "overflow" : "wait"},
              {"callback_retry_ms", 5000},
              {"decisions_kept", roll(3)}};
    if (relaxes_)
      body["skill_relaxation"] = {{{"after_ms", 5000}, {"lower_by", 2}}, {{"after_ms", 10000}, {"lower_by", 10}}};
    if (tagged_)
      body["tag_ids"] = {"x"};
    if (overflows_)
      body["overflow"] = {{"type", "queue"}, {"queue_id", "q2"}};
    entity_.request("POST", "/v1/queues", body);
    ASSERT_EQ(entity_.answered, 200);
  }

  void add_agent(const std::string& name) {
    if (agents_.size() >= 5 || find_agent(name))
      return;
    model_agent made;
    made.id = name;
    made.order = static_cast<std::int64_t>(roll(2));
    made.penalty = static_cast<int>(roll(2));
    made.number = ++numbers_;
    agents_.push_back(made);
    expect("agent/" + name + "/watch");
    entity_.request("POST", "/v1/queues/q/agents",
                    {{"agent_id", name}, {"order", made.order}, {"penalty", made.penalty}});
    check();
    if (roll(2))
      news(*find_agent(name), "available");
  }

  void news(model_agent& who, const std::string& status) {
    const bool is_old = roll(8) == 0 && who.sequence > 0;
    const auto sequence = is_old ? who.sequence - 1 : who.sequence + 1;
    const int free = status == "available" ? 1 + static_cast<int>(roll(5) == 0) : 0;
    const bool tagged = roll(4) != 0;
    const int skill = static_cast<int>(roll(5));
    json body{{"agent_id", who.id},
              {"status", status},
              {"since", entity_.now},
              {"sequence", sequence},
              {"free", {{"voice", free}}}};
    if (tagged)
      body["tag_ids"] = {"x", "y"};
    if (skill)
      body["skills"] = {{"french", skill}};
    if (!is_old) {
      who.sequence = sequence;
      who.status = status;
      who.since = entity_.now;
      who.free = free;
      who.tagged = tagged;
      who.skill = skill;
    }
    entity_.tell({"agent", who.id}, "agent_status", body);
    check();
  }

  void step() {
    switch (roll(16)) {
    case 0:
    case 1:
    case 2:
      return new_caller();
    case 3:
    case 4: {
      auto* who = any_agent();
      const std::vector<std::string> statuses{"available", "available", "available", "busy", "offline", "away"};
      return who ? news(*who, statuses[roll(statuses.size())]) : add_agent("D");
    }
    case 5:
    case 6:
    case 7:
      return call_speaks();
    case 8:
    case 9:
    case 10:
      return agent_answers();
    case 11:
    case 12:
      return conference_speaks();
    case 13:
      return somebody_interferes();
    case 14:
      return other_queue_answers();
    default:
      return time_passes(milliseconds{roll(6000)});
    }
  }

  void new_caller() {
    if (callers_.size() >= 4)
      return;
    model_caller made;
    made.call = "call-" + std::to_string(++calls_);
    made.priority = static_cast<int>(roll(3)) - 1;
    made.french = static_cast<int>(roll(2) ? 0 : 1 + roll(4));
    made.joined = entity_.now;
    made.number = ++numbers_;
    json body{{"customer_id", "customer-1"}, {"call_id", made.call}, {"priority", made.priority}};
    if (made.french)
      body["skills"] = {{"french", made.french}};
    const auto waiting = std::count_if(callers_.begin(), callers_.end(), [](const auto& c) {
      return !c.in({"service", "overflowing"});
    });
    const bool is_long = max_length_ > 0 && waiting >= max_length_;
    const bool owned = roll(2) != 0;
    made.owner = owned ? "flow-1" : "";
    if (is_long)
      made.overflow_reason = "max_length";
    const bool refused = is_long && !overflows_ && !owned;
    if (refused) {
      --numbers_;
    } else {
      expect("call/" + made.call + "/join_queue");
      callers_.push_back(made);
      ++incoming_;
    }
    if (owned) {
      expect("flow/flow-1/caller_accepted");
      entity_.tell({"flow", "flow-1"}, "add_caller", body);
    } else {
      entity_.request("POST", "/v1/queues/q/calls", body);
      EXPECT_EQ(entity_.answered, refused ? 429 : 200);
    }
    check();
    if (owned && roll(4) == 0) { // its answer was lost: the owner asks again
      expect("flow/flow-1/caller_accepted");
      entity_.tell({"flow", "flow-1"}, "add_caller", body);
      check();
    } else if (!refused && roll(8) == 0) { // and somebody else is refused
      expect("flow/flow-2/caller_refused");
      entity_.tell({"flow", "flow-2"}, "add_caller", body);
      check();
    }
  }

  void call_speaks() {
    auto* c = any_caller();
    if (!c || roll(10) == 0) {
      const auto what = roll(2) ? "call_joined" : "call_ended";
      if (std::string{what} == "call_joined")
        expect("call/stranger/leave_queue");
      entity_.tell({"call", "stranger"}, what, {{"call_id", "stranger"}, {"status", "progressing"}});
      return check();
    }
    const auto call = c->call;
    if (c->phase == "initiating" && roll(4)) {
      const bool joins = roll(2) != 0;
      becomes_waiting(*c);
      entity_.tell({"call", call}, joins ? "call_joined" : "call_answered",
                   {{"call_id", call}, {"status", "progressing"}});
    } else if (c->phase == "calling_back" && roll(3)) {
      bring_together(*c);
      entity_.tell({"call", call}, "call_answered", {{"call_id", call}});
    } else if (c->phase == "dialing" && roll(4)) {
      leg_speaks(*c);
    } else if (roll(3) == 0) {
      const bool refused = roll(2) != 0;
      if (c->has_call()) {
        if (c->phase == "calling_back" && !refused)
          callback_fails(*c, "busy", true);
        else
          ends(*c, refused ? "not_found" : "caller_hung_up", refused);
      }
      entity_.tell({"call", call}, refused ? "call_refused" : "call_ended",
                   {{"call_id", call}, {"reason", refused ? "not_found" : "busy"}});
    } else if (!c->leg.empty() && roll(3) == 0) {
      const auto leg = c->leg;
      if (c->phase == "calling_back")
        callback_fails(*c, "agent_hung_up", false);
      else if (c->phase == "joining")
        agent_lost(*c);
      else
        ends(*c, "agent_hung_up", false);
      entity_.tell({"call", leg}, "call_ended", {{"call_id", leg}, {"reason", "normal"}});
    } else {
      return;
    }
    check();
  }

  /// One of the phones that ring.
  void leg_speaks(model_caller& c) {
    std::vector<model_offer> ringing;
    std::copy_if(c.offers.begin(), c.offers.end(), std::back_inserter(ringing),
                 [](const auto& one) { return !one.leg.empty(); });
    const auto one = ringing[roll(ringing.size())];
    if (roll(3)) {
      answered(c, one);
      entity_.tell({"call", one.leg}, "call_answered", {{"call_id", one.leg}});
    } else {
      offer_fails(c, one.id, "busy");
      entity_.tell({"call", one.leg}, "call_ended", {{"call_id", one.leg}, {"reason", "busy"}});
    }
  }

  void agent_answers() {
    auto* c = any_caller([](const auto& one) { return !one.offers.empty(); });
    if (!c || roll(8) == 0) { // of an offer that is over
      const bool accepts = roll(2) != 0;
      expect("agent/A/release/over");
      entity_.tell(
          {"agent", "A"}, accepts ? "offer_accepted" : "offer_withdrawn",
          {{"offer_id", "an old one"}, {"epoch", 0}, {"agent_id", "A"}, {"reason", "away"}, {"address", "+1"}});
      return check();
    }
    auto& one = c->offers[roll(c->offers.size())];
    const auto offer = one.id, agent = one.agent;
    const auto kind = roll(5);
    if (kind < 3) {
      if (one.leg.empty()) {
        one.leg = "?";
        set_phase(*c);
        expect("call/?/create");
      }
      entity_.tell({"agent", agent}, "offer_accepted",
                   {{"offer_id", offer}, {"agent_id", agent}, {"address", {{"type", "tel"}, {"target", "+1"}}}});
    } else if (kind == 3) {
      auto* who = find_agent(agent);
      if (who) {
        who->sequence += 1;
        who->status = "busy";
        who->free = 0;
        who->since = entity_.now;
        who->tagged = false;
        who->skill = 0;
      }
      if (one.leg.empty())
        offer_fails(*c, offer, "rejected");
      entity_.tell({"agent", agent}, "offer_rejected",
                   {{"offer_id", offer},
                    {"agent_id", agent},
                    {"status", "busy"},
                    {"since", entity_.now},
                    {"sequence", who ? who->sequence : 0},
                    {"free", {{"voice", 0}}}});
    } else {
      offer_fails(*c, offer, "withdrawn");
      entity_.tell({"agent", agent}, "offer_withdrawn", {{"offer_id", offer}, {"agent_id", agent}, {"reason", "away"}});
    }
    check();
  }

  void conference_speaks() {
    auto* c = any_caller([](const auto& one) { return !one.conference.empty(); });
    if (!c)
      return;
    const auto room = c->conference;
    if (c->phase == "joining" && roll(6)) {
      const auto who = roll(2) ? c->call : c->leg;
      c->caller_in = c->caller_in || who == c->call;
      c->agent_in = c->agent_in || who == c->leg;
      if (c->caller_in && c->agent_in) {
        c->phase = "service";
        c->connected = entity_.now;
        ++answered_;
      }
      entity_.tell({"conference", room}, "participant_joined", {{"call_id", who}});
    } else if (roll(2)) {
      ends(*c, "conference_ended", false);
      entity_.tell({"conference", room}, "conference_ended", json::object());
    } else if (c->phase == "joining") {
      const auto who = roll(2) ? c->call : c->leg;
      if (who == c->leg)
        agent_lost(*c);
      else
        ends(*c, "conference_ended", false);
      entity_.tell({"conference", room}, "participant_refused", {{"call_id", who}});
    } else if (c->phase == "service" && roll(2)) {
      const auto reserved = c->offer;
      const auto agent = c->agent;
      if (reserved.empty())
        return;
      c->offer.clear(); // the agent says it is not reserved: the talk goes on without, and it is asked for nobody else
      for (auto& other : callers_) {
        const auto asked =
            std::find_if(other.offers.begin(), other.offers.end(), [&](const auto& one) { return one.agent == agent; });
        if (asked != other.offers.end())
          offer_fails(other, std::string{asked->id}, "engaged");
      }
      entity_.tell({"agent", agent}, "offer_withdrawn",
                   {{"offer_id", reserved}, {"agent_id", agent}, {"reason", "not_reserved"}});
    } else {
      return;
    }
    check();
  }

  void somebody_interferes() {
    auto* c = any_caller();
    if (!c)
      return;
    const auto call = c->call;
    if (roll(2)) {
      const bool can = c->wants() && !c->is_virtual;
      if (can)
        promise_callback(*c);
      entity_.request("POST", "/v1/queues/q/calls/" + call + "/callback", {{"destination", "+15550001111"}});
      EXPECT_EQ(entity_.answered, can ? 200 : 409);
    } else {
      const bool goes_on = c->phase != "service" && c->phase != "joining" && !c->is_virtual;
      ends(*c, "kicked", goes_on);
      entity_.request("DELETE", "/v1/queues/q/calls/" + call);
      EXPECT_EQ(entity_.answered, 200);
    }
    check();
  }

  void other_queue_answers() {
    auto* c = any_caller([](const auto& one) { return one.phase == "overflowing"; });
    if (!c)
      return;
    const auto call = c->call;
    const bool takes = roll(2) != 0;
    if (!takes)
      expect("call/" + call + "/hang_up");
    gone(*c);
    entity_.tell({"queue", "q2"}, takes ? "caller_accepted" : "caller_refused",
                 {{"queue_id", "q2"}, {"call_id", call}, {"reason", "queue_full"}});
    check();
  }

  void time_passes(milliseconds by) {
    const auto until = entity_.now + by;
    while (!failed() && !entity_.timers.empty() && entity_.timers.at(entity_.next_timer()).due <= until)
      timer_fires();
    entity_.now = until;
  }

  void timer_fires() {
    const auto name = entity_.next_timer();
    const auto kind = name.substr(0, name.find(':')), id = name.substr(name.find(':') + 1);
    entity_.now = std::max(entity_.now, entity_.timers.at(name).due);
    auto* c = any_caller([&](const auto& one) { return one.id == id; });
    if (kind == "ring") {
      for (auto& one : callers_) {
        if (std::any_of(one.offers.begin(), one.offers.end(), [&](const auto& o) { return o.id == id; })) {
          offer_fails(one, id, "noanswer");
          break;
        }
      }
    } else if (kind == "wait" && (c->wants() || c->phase == "initiating")) {
      overflow(*c);
    } else if (kind == "service") {
      ends(*c, "service_timeout", false);
    } else if (kind == "join" && c->phase == "calling_back") {
      callback_fails(*c, "noanswer", true);
    } else if (kind == "wait" && c->phase == "joining") {
      c->overflow_reason = "wait_timeout";
    } else if (kind == "join") {
      agent_lost(*c);
    } else if (kind == "overflow") {
      if (++c->tries > 3) {
        expect("call/" + c->call + "/hang_up");
        gone(*c);
      } else {
        expect("queue/q2/add_caller");
      }
    } else if (kind == "audit") {
      bool waits = false;
      for (const auto& one : callers_) {
        waits = waits || one.wants();
        if ((!one.is_virtual || one.phase == "service") && !one.in({"joining", "overflowing"}))
          expect("call/" + one.call + "/join_queue");
      }
      for (const auto& one : agents_) {
        if (waits && one.free == 0)
          expect("agent/" + one.id + "/watch");
      }
    }
    entity_.fire_next();
    check();
  }

  // -- what the README says follows
  // ------------------------------------------------------------------------------------

  void expect(const std::string& message) { expected_.insert(message); }

  void becomes_waiting(model_caller& c) {
    c.phase = "waiting";
    c.tries = 0;
    if (!c.overflow_reason.empty())
      overflow(c);
  }
  static void set_phase(model_caller& c) {
    if (!c.wants())
      return;
    const bool rings = std::any_of(c.offers.begin(), c.offers.end(), [](const auto& o) { return !o.leg.empty(); });
    c.phase = c.offers.empty() ? "waiting" : rings ? "dialing" : "offered";
  }
  void let_go(const model_offer& one, const std::string& reason) {
    if (!one.leg.empty())
      expect("call/" + one.leg + "/hang_up");
    expect("agent/" + one.agent + "/release/" + reason);
  }
  void offer_fails(model_caller& c, const std::string& id, const std::string& reason) {
    const auto found = std::find_if(c.offers.begin(), c.offers.end(), [&](const auto& o) { return o.id == id; });
    let_go(*found, reason);
    c.offers.erase(found);
    set_phase(c);
  }
  void rescind_all(model_caller& c, const std::string& reason, const std::string& but = {}) {
    for (const auto& one : c.offers) {
      if (one.id != but)
        let_go(one, reason);
    }
    c.offers.clear();
    set_phase(c);
  }
  void answered(model_caller& c, const model_offer& by) {
    rescind_all(c, "answered_elsewhere", by.id);
    c.agent = by.agent;
    c.offer = by.id;
    c.leg = by.leg;
    expect("agent/" + c.agent + "/connected");
    if (!c.is_virtual)
      return bring_together(c);
    c.phase = "calling_back";
    ++c.callbacks;
    c.call = "?";
    expect("call/?/create");
  }
  void bring_together(model_caller& c) {
    c.phase = "joining";
    c.conference = "?";
    expect("conference/?/create");
  }
  void agent_lost(model_caller& c) {
    c.caller_in = c.agent_in = false;
    if (c.is_virtual) {
      expect("conference/" + std::exchange(c.conference, {}) + "/stop");
      return callback_fails(c, "did_not_join", false);
    }
    agent_is_free(c, "agent_lost");
    expect("conference/" + std::exchange(c.conference, {}) + "/let_go");
    expect("call/" + c.call + "/join_queue");
    c.offer.clear();
    c.agent.clear();
    c.leg.clear();
    c.phase = "initiating";
    c.tries = 0;
  }
  void agent_is_free(model_caller& c, const char* why = "over") {
    if (!c.leg.empty())
      expect("call/" + c.leg + "/hang_up");
    if (!c.offer.empty())
      expect("agent/" + c.agent + "/release/" + why);
  }
  void promise_callback(model_caller& c) {
    rescind_all(c, "caller_left");
    c.is_virtual = true;
    c.phase = "waiting";
    tell_owner(c, "callback");
    c.owner.clear();
    ++callbacks_;
    expect("call/" + c.call + "/hang_up");
  }
  void callback_fails(model_caller& c, const std::string&, bool counts) {
    expect("call/" + c.call + "/hang_up");
    agent_is_free(c);
    c.offer.clear();
    c.agent.clear();
    c.leg.clear();
    c.phase = "waiting";
    c.callbacks -= counts ? 0 : 1;
    if (c.callbacks >= 2)
      return abandon(c, "callback_failed", false);
    if (counts)
      c.not_before = entity_.now + 5s;
  }
  void tell_owner(const model_caller& c, const std::string& outcome) {
    if (!c.owner.empty())
      expect("flow/" + c.owner + "/caller_left/" + outcome);
  }
  void abandon(model_caller& c, const std::string& reason, bool goes_on) {
    rescind_all(c, "caller_left");
    if (!c.agent.empty())
      agent_is_free(c);
    if (c.has_call())
      expect("call/" + c.call + (goes_on ? "/leave_queue" : "/hang_up"));
    if (!c.conference.empty())
      expect("conference/" + c.conference + "/stop");
    ++abandoned_;
    tell_owner(c, reason == "kicked" ? "kicked" : "abandoned");
    gone(c);
  }
  void ends(model_caller& c, const std::string& reason, bool goes_on) {
    if (c.phase == "overflowing") {
      if (reason == "not_found") // the call refuses: there is nowhere left for him
        expect("call/" + c.call + "/hang_up");
      return gone(c);
    }
    if (c.phase != "service")
      return abandon(c, reason, goes_on && (c.phase == "initiating" || reason == "kicked"));
    ++serviced_;
    if (auto* who = find_agent(c.agent)) {
      ++who->calls;
      who->talk += entity_.now - c.connected;
    }
    agent_is_free(c);
    expect("call/" + c.call + "/hang_up");
    expect("conference/" + c.conference + "/stop");
    tell_owner(c, "serviced");
    gone(c);
  }
  void overflow(model_caller& c) {
    if (c.is_virtual || (!overflows_ && c.owner.empty()))
      return abandon(c, "wait_timeout", false);
    rescind_all(c, "caller_left");
    ++overflowed_;
    tell_owner(c, "overflowed");
    c.owner.clear();
    expect("call/" + c.call + "/leave_queue");
    c.phase = "overflowing";
    if (!overflows_)
      return gone(c);
    c.tries = 1;
    expect("queue/q2/add_caller");
  }
  void gone(model_caller& c) { callers_.erase(callers_.begin() + (&c - callers_.data())); }

  // -- who gets whom
  // -----------------------------------------------------------------------------------------------------

  bool engaged(const std::string& agent) const {
    for (const auto& c : callers_) {
      if (c.agent == agent && c.offer.empty())
        return true;
      for (const auto& one : c.offers) {
        if (one.agent == agent)
          return true;
      }
    }
    return false;
  }
  bool fits(const model_agent& a, const model_caller& c) const {
    const auto waited = entity_.now - c.joined;
    const int lower = !relaxes_ ? 0 : waited >= 10s ? 10 : waited >= 5s ? 2 : 0;
    return a.free > 0 && (!tagged_ || a.tagged) && !engaged(a.id) && (c.french <= lower || a.skill >= c.french - lower);
  }
  bool is_before(const model_caller& a, const model_caller& b) const {
    if (a.offers.empty() != b.offers.empty())
      return a.offers.empty();
    if (ageing_ == 0s && a.priority != b.priority)
      return a.priority > b.priority;
    const auto x = a.joined - a.priority * ageing_, y = b.joined - b.priority * ageing_;
    return x != y ? x < y : a.number < b.number;
  }
  bool is_asked_before(const model_agent& a, const model_agent& b) const {
    if (a.penalty != b.penalty)
      return a.penalty < b.penalty;
    if (method_ == "longest_idle" && a.since != b.since)
      return a.since < b.since;
    if (method_ == "fewest_calls" && a.calls != b.calls)
      return a.calls < b.calls;
    if (method_ == "least_talk_time" && a.talk != b.talk)
      return a.talk < b.talk;
    const std::pair x{a.order, a.number}, y{b.order, b.number};
    if (method_ == "round_robin" && (x > last_) != (y > last_))
      return x > last_;
    return x < y;
  }

  void assign() {
    if (nobody_overflows_ &&
        std::all_of(agents_.begin(), agents_.end(), [](const auto& a) { return a.status == "offline"; })) {
      for (std::size_t i = 0; i < callers_.size();) {
        const auto count = callers_.size();
        if (callers_[i].phase == "waiting" && !callers_[i].is_virtual)
          overflow(callers_[i]);
        i += callers_.size() == count ? 1 : 0;
      }
    }
    std::set<std::string> had;
    while (true) {
      model_caller* next = nullptr;
      for (auto& c : callers_) {
        const bool in_line =
            c.wants() && c.offers.size() < at_once_ && c.not_before <= entity_.now && !had.contains(c.call);
        const bool can =
            in_line && std::any_of(agents_.begin(), agents_.end(), [&](const auto& a) { return fits(a, c); });
        if (can && (!next || is_before(c, *next)))
          next = &c;
      }
      if (!next)
        return;
      had.insert(next->call);
      std::vector<model_agent> able;
      std::copy_if(agents_.begin(), agents_.end(), std::back_inserter(able),
                   [&](const auto& a) { return fits(a, *next); });
      const auto is_new = [&](const auto& a) { return !next->tried.contains(a.id); };
      if (std::any_of(able.begin(), able.end(), is_new))
        std::erase_if(able, [&](const auto& a) { return !is_new(a); });
      else if (!next->offers.empty())
        continue; // nobody is asked again while others still ring
      else
        next->tried.clear();
      std::sort(able.begin(), able.end(), [&](const auto& a, const auto& b) { return is_asked_before(a, b); });
      able.resize(std::min(able.size(), at_once_ - next->offers.size()));
      for (const auto& one : able) {
        next->offers.push_back({one.id, "?", ""});
        next->tried.insert(one.id);
        last_ = {one.order, one.number};
        expect("agent/" + one.id + "/offer");
      }
      set_phase(*next);
    }
  }

  // -- the comparison
  // ----------------------------------------------------------------------------------------------------

  void check() {
    if (failed())
      return;
    assign();
    const auto& q = *entity_.state;
    std::multiset<std::string> sent;
    for (const auto& one : entity_.sent) {
      auto text = one.to.type + "/" + (one.name == "create" ? "?" : one.to.id) + "/" + one.name;
      if (one.name == "release")
        text += "/" + one.body["reason"].get<std::string>();
      if (one.name == "caller_left")
        text += "/" + one.body["outcome"].get<std::string>();
      sent.insert(text);
    }
    ASSERT_EQ(sent, expected_);
    expected_.clear();
    ASSERT_EQ(q.callers.size(), callers_.size());
    for (std::size_t i = 0; i < callers_.size(); ++i)
      check_caller(q.callers[i], callers_[i]);
    recount(q);
  }

  void check_caller(const queue_caller& is, model_caller& wanted) {
    wanted.id = is.id;
    if (wanted.call == "?")
      wanted.call = is.call_id;
    if (wanted.conference == "?")
      wanted.conference = is.conference_id;
    ASSERT_EQ(is.call_id, wanted.call);
    ASSERT_EQ(sdk::text(is.phase), wanted.phase) << wanted.call;
    ASSERT_EQ(is.agent_id, wanted.agent);
    ASSERT_EQ(is.offer_id, wanted.offer);
    ASSERT_EQ(is.conference_id, wanted.conference);
    ASSERT_EQ(is.is_virtual(), wanted.is_virtual);
    ASSERT_EQ(is.offers.size(), wanted.offers.size());
    for (std::size_t i = 0; i < is.offers.size(); ++i) {
      const auto& one = is.offers[i];
      auto& mine = wanted.offers[i];
      ASSERT_EQ(one.agent_id, mine.agent);
      ASSERT_EQ(one.call_id.empty(), mine.leg.empty());
      mine.id = one.id;
      mine.leg = one.call_id;
      ASSERT_TRUE(entity_.timers.contains("ring:" + one.id)) << "an offer without an end";
    }
    const auto exit = wanted.in({"joining", "calling_back"}) ? "join:" + is.id
                      : wanted.phase == "overflowing"        ? "overflow:" + is.id
                                                             : "audit";
    ASSERT_TRUE(entity_.timers.contains(exit)) << "no way out of " << wanted.phase;
  }

  void recount(const queue& q) {
    for (const auto* one : entity_.announced) {
      const auto& type = one->type;
      events_incoming_ += type == "queue.caller_joined" ? 1 : 0;
      events_abandoned_ += type == "queue.abandoned" ? 1 : 0;
      events_overflowed_ += type == "queue.overflowed" ? 1 : 0;
      events_callbacks_ += type == "queue.callback_requested" ? 1 : 0;
      if (type == "queue.connected") {
        ++events_answered_;
        events_wait_ += milliseconds{one->data["waited_ms"].get<std::int64_t>()};
        events_in_time_ += one->data["waited_ms"] <= 20000 ? 1 : 0;
      } else if (type == "queue.serviced") {
        ++events_serviced_;
        events_talk_ += milliseconds{one->data["service_ms"].get<std::int64_t>()};
      }
    }
    const auto& t = q.totals;
    ASSERT_TRUE(t.incoming == incoming_ && t.incoming == events_incoming_);
    ASSERT_TRUE(t.answered == answered_ && t.answered == events_answered_);
    ASSERT_TRUE(t.serviced == serviced_ && t.serviced == events_serviced_);
    ASSERT_TRUE(t.abandoned == abandoned_ && t.abandoned == events_abandoned_);
    ASSERT_TRUE(t.overflowed == overflowed_ && t.overflowed == events_overflowed_);
    ASSERT_TRUE(t.callbacks == callbacks_ && t.callbacks == events_callbacks_);
    ASSERT_TRUE(t.answer_wait == events_wait_ && t.talk == events_talk_ && t.answered_in_time == events_in_time_);
    ASSERT_EQ(t.incoming, t.serviced + t.abandoned + t.overflowed +
                              static_cast<std::uint64_t>(
                                  std::count_if(q.callers.begin(), q.callers.end(),
                                                [](const auto& c) { return c.phase != caller_phase::overflowing; })))
        << "a caller is lost";
    ASSERT_LE(q.decisions.size(), static_cast<std::size_t>(q.decisions_kept));
  }

  /// All calls are over and nobody said so; whoever wanted to be called back is kicked.
  void go_home() {
    for (int i = 0; !callers_.empty() && !failed(); ++i) {
      ASSERT_LT(i, 1000) << "somebody stays for ever";
      if (auto* c = any_caller([](const auto& one) { return one.is_virtual; })) {
        const auto id = c->id;
        ends(*c, "kicked", false);
        entity_.request("DELETE", "/v1/queues/q/calls/" + id);
        check();
        continue;
      }
      timer_fires();
      std::vector<std::string> asked;
      for (const auto& one : entity_.sent) {
        if (one.name == "join_queue")
          asked.push_back(one.to.id);
      }
      for (const auto& call : asked) {
        if (auto* c = any_caller([&](const auto& one) { return one.call == call && one.has_call(); })) {
          ends(*c, "not_found", true);
          entity_.tell({"call", call}, "call_refused", {{"call_id", call}, {"reason", "not_found"}});
          check();
        }
      }
    }
  }

  model_agent* find_agent(const std::string& id) {
    for (auto& one : agents_) {
      if (one.id == id)
        return &one;
    }
    return nullptr;
  }
  model_agent* any_agent() { return agents_.empty() || roll(12) == 0 ? nullptr : &agents_[roll(agents_.size())]; }
  model_caller* any_caller() {
    return any_caller([](const auto&) { return true; });
  }
  template <class Test>
  model_caller* any_caller(Test test) {
    std::vector<model_caller*> those;
    for (auto& one : callers_) {
      if (test(one))
        those.push_back(&one);
    }
    return those.empty() ? nullptr : those[roll(those.size())];
  }

  order_dice dice_;
  driven<queue> entity_;
  std::vector<model_agent> agents_;
  std::vector<model_caller> callers_;
  std::multiset<std::string> expected_;
  std::string method_;
  std::size_t parallel_ = 0, at_once_ = 1;
  std::chrono::seconds ageing_{}, wrap_up_{};
  bool relaxes_ = false, tagged_ = false, overflows_ = false, nobody_overflows_ = false;
  std::ptrdiff_t max_length_ = 0;
  std::pair<std::int64_t, std::uint64_t> last_;
  std::uint64_t calls_ = 0, numbers_ = 0, incoming_ = 0, answered_ = 0, serviced_ = 0, abandoned_ = 0, overflowed_ = 0,
                callbacks_ = 0;
  std::uint64_t events_incoming_ = 0, events_answered_ = 0, events_in_time_ = 0, events_serviced_ = 0,
                events_abandoned_ = 0, events_overflowed_ = 0, events_callbacks_ = 0;
  milliseconds events_wait_{}, events_talk_{};
};

TEST(queue_model, does_what_the_reference_does_in_any_order) {
  run_orders([](std::uint64_t seed) { queue_order{seed}.run(); });
}

} // namespace
} // namespace switchboard::telephony
