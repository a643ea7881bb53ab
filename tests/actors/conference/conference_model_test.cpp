// A conference in random orders. First alone, against a model of its own that knows nothing of the actor's rules. Then
// with its calls and their legs at the trunk while reports get lost, doubled, late and out of order: once the line is
// clean again and the checks have run, the participants are exactly those the trunk has in the room.
#include <algorithm>
#include <deque>
#include <functional>
#include <set>

#include "actors/call/call.hpp"
#include "actors/conference/conference.hpp"
#include "actors/loopback_trunk/loopback_trunk.hpp"
#include "tests/actors/orders.hpp"

namespace switchboard::telephony {
namespace {

using namespace std::chrono_literals;

// -- alone ------------------------------------------------------------------------------------------------------------

struct conference_model {
  enum where { coming, in, going };
  struct person {
    where at = coming;
    bool had_joined = false;
    int visit = 0;
    int asked = 0; ///< the last check
    int silent = 0;
  };
  bool pair = false; ///< connect: over when one is left
  std::map<std::string, person> people;
  bool locked = false, used = false, ending = false, over = false, gone = false, to_be_deleted = false;
  int visits = 0, checks = 0, joins = 0, leaves = 0;

  bool may_join() const { return !ending && !over && !locked; }
  void invite(const std::string& who) {
    if (!people.contains(who))
      people[who] = {coming, false, ++visits};
  }
  void finish() {
    over = true;
    ending = false;
    for (const auto& [who, p] : people)
      leaves += p.at == in || p.had_joined;
    people.clear();
    gone = to_be_deleted;
  }
  void put_out(person& p) {
    p.had_joined = p.had_joined || p.at == in;
    p.at = going;
  }
  void stop() {
    if (ending || over)
      return;
    ending = true;
    for (auto& [who, p] : people)
      put_out(p);
    if (people.empty())
      finish();
  }
  void comes_in(person& p) {
    p.at = in;
    p.silent = 0;
    used = true;
    ++joins;
  }
  void is_out(const std::string& who) {
    const auto p = people[who];
    people.erase(who);
    const bool was_in = p.at == in || p.had_joined;
    leaves += was_in;
    if (ending && people.empty())
      finish();
    else if (!ending && (pair && was_in ? people.size() < 2 : used && people.empty()))
      stop();
  }
};

class conference_order {
public:
  explicit conference_order(std::uint64_t seed) : dice_(seed), room_(conference_type(), "k", seed) {
    model_.pair = dice_.once_in(2);
    room_.request("POST", "/v1/conferences", {{"customer_id", "t"}, {"type", model_.pair ? "connect" : "conference"}});
  }

  void run() {
    const auto steps = 8 + dice_.roll(23);
    for (std::size_t i = 0; i < steps && room_.state && !testing::Test::HasFailure(); ++i) {
      const auto what = step();
      check(what);
    }
  }

private:
  conference_model::person* find(const std::string& who) {
    const auto found = model_.people.find(who);
    return found == model_.people.end() ? nullptr : &found->second;
  }
  /// The invitation's number: the right one, or an older one.
  int visit_of(const conference_model::person* p, bool stale) { return !p ? 1 : stale ? p->visit + 100 : p->visit; }

  std::string step() {
    static const std::string names[] = {"a", "b", "c"};
    const auto& who = dice_.one_of(names);
    const std::string route = "/v1/conferences/k";
    auto* p = find(who);
    const bool stale = dice_.once_in(4);
    const sdk::entity_ref from{"call", who};
    switch (dice_.roll(16)) {
    case 0:
    case 1:
      if (model_.may_join() || p)
        model_.may_join() ? model_.invite(who) : void();
      expect(p ? 200 : model_.may_join() ? 200 : 409, "POST", route + "/calls/" + who);
      return "join " + who;
    case 2: {
      const bool may = model_.may_join();
      if (may)
        model_.invite(who);
      room_.tell(from, "add_call", {{"call_id", who}, {"customer_id", "t"}});
      return "add_call " + who;
    }
    case 3:
    case 4:
    case 5:
      room_.tell(from, "call_joined", {{"call_id", who}, {"visit", visit_of(p, stale)}});
      if (p && !stale && p->at == conference_model::coming)
        model_.comes_in(*p);
      EXPECT_EQ(room_.sent_to("call", "hang_up") != nullptr, !p) << "a stranger stays in the room";
      return "call_joined " + who;
    case 6:
      room_.tell(from, "call_refused", {{"call_id", who}, {"visit", visit_of(p, stale)}});
      if (p && !stale && p->at != conference_model::in)
        model_.is_out(who);
      return "call_refused " + who;
    case 7:
      room_.tell(from, "call_ended", {{"call_id", who}});
      if (p)
        model_.is_out(who);
      return "call_ended " + who;
    case 8:
      room_.tell(from, "call_left", {{"call_id", who}, {"visit", visit_of(p, stale)}});
      if (p && !stale)
        model_.is_out(who);
      return "call_left " + who;
    case 9: {
      const bool kick = dice_.once_in(2);
      if (p)
        model_.put_out(*p);
      kick ? expect(p ? 200 : 404, "DELETE", route + "/calls/" + who)
           : expect(p ? 200 : 404, "POST", route + "/calls/" + who + "/leave");
      return kick ? "kick " + who : "leave " + who;
    }
    case 10: {
      const bool on = dice_.once_in(2);
      expect(!p                              ? 404
             : p->at == conference_model::in ? 200
                                             : 409,
             on ? "POST" : "DELETE", route + "/calls/" + who + (dice_.once_in(2) ? "/mute" : "/hold"));
      return "mute or hold " + who;
    }
    case 11: {
      const bool lock = dice_.once_in(2);
      const bool may = !model_.ending && !model_.over;
      if (may)
        model_.locked = lock;
      expect(may ? 200 : 409, lock ? "POST" : "DELETE", route + "/lock");
      return lock ? "lock" : "unlock";
    }
    case 12:
      if (!room_.timers.contains("check"))
        return "no check";
      room_.now += 30s;
      ++model_.checks;
      {
        std::vector<std::string> silent;
        for (auto& [name, one] : model_.people) {
          if (++one.silent > 2)
            silent.push_back(name);
          else
            one.asked = model_.checks;
        }
        const auto first_come = [&](const auto& x, const auto& y) {
          return model_.people.at(x).visit < model_.people.at(y).visit;
        };
        std::sort(silent.begin(), silent.end(), first_come);
        for (const auto& name : silent) {
          if (find(name))
            model_.is_out(name);
        }
      }
      room_.fire("check", json::object());
      return "check";
    case 13: {
      const bool inside = dice_.once_in(2);
      const auto status = dice_.once_in(4) ? "terminating" : "progressing";
      const int number = stale ? 0 : p ? p->asked : 1;
      room_.tell(from, "call_status", {{"call_id", who}, {"status", status}, {"inside", inside}, {"check", number}});
      if (p && number != 0) {
        p->asked = 0;
        told(who, *p, inside, status == std::string{"progressing"});
      }
      return "call_status " + who;
    }
    case 14:
      if (dice_.once_in(3)) {
        model_.stop();
        expect(200, "POST", route + "/stop");
        return "stop";
      }
      if (dice_.once_in(3)) {
        model_.to_be_deleted = true;
        model_.gone = model_.over;
        model_.stop();
        expect(200, "DELETE", route);
        return "delete";
      }
      expect(200, "GET", route);
      return "show";
    default: {
      const char* late[] = {"stop_timeout", "forget", "recording", "who_else"};
      const std::string name = dice_.one_of(late);
      if (name == "who_else") {
        room_.tell(from, name, {{"transfer_id", "x"}});
        std::size_t others = 0;
        for (const auto& [other, one] : model_.people)
          others += p && other != who && one.at == conference_model::in;
        EXPECT_EQ(room_.sent.at(0).body["call_ids"].size(), others);
        return name;
      }
      if (name == "stop_timeout" && model_.ending)
        model_.finish();
      else if (name == "forget" && model_.over)
        model_.gone = true;
      room_.fire(name, json::object());
      return name;
    }
    }
  }

  /// A call's answer to the check: what is true there becomes true here.
  void told(const std::string& who, conference_model::person& p, bool inside, bool alive) {
    p.silent = 0;
    if (p.at == conference_model::coming && alive && inside)
      model_.comes_in(p);
    else if (!inside && !(p.at == conference_model::coming && alive))
      model_.is_out(who);
    else if (p.at == conference_model::coming && !alive)
      model_.is_out(who);
    else if (p.at == conference_model::coming)
      p.visit = ++model_.visits; // invited anew
  }

  void expect(int status, const char* method, const std::string& route) {
    room_.request(method, route);
    EXPECT_EQ(room_.answered, status) << method << " " << route;
  }

  void check(const std::string& after) {
    ASSERT_EQ(!room_.state.has_value(), model_.gone) << after;
    if (!room_.state)
      return;
    std::map<std::string, std::string> ours, theirs;
    for (const auto& one : room_.state->participants)
      ours[one.call_id] = sdk::text(one.status);
    for (const auto& [who, p] : model_.people)
      theirs[who] = p.at == conference_model::coming ? "joining" : p.at == conference_model::in ? "joined" : "leaving";
    EXPECT_EQ(ours, theirs) << after;
    EXPECT_EQ(sdk::text(room_.state->status), model_.over     ? "terminated"
                                              : model_.ending ? "terminating"
                                                              : "progressing")
        << after;
    EXPECT_EQ(room_.state->locked, model_.locked) << after;
    const char* exit = model_.over ? "forget" : model_.ending ? "stop_timeout" : "check";
    EXPECT_TRUE(room_.timers.contains(exit)) << "no way out after " << after;
    EXPECT_EQ(room_.count_of_event("conference.created"), 1);
    EXPECT_EQ(room_.count_of_event("conference.participant_joined"), model_.joins) << after;
    EXPECT_EQ(room_.count_of_event("conference.participant_left"), model_.leaves) << after;
    EXPECT_EQ(room_.count_of_event("conference.ended"), model_.over ? 1 : 0) << after;
  }

  order_dice dice_;
  driven<conference> room_;
  conference_model model_;
};

TEST(conference_model, does_what_its_model_does_in_every_order) {
  run_orders([](std::uint64_t seed) { conference_order(seed).run(); });
}

// -- with its calls and their legs ------------------------------------------------------------------------------------

/// Three calls, their legs and one conference. Commands arrive in order; reports – from the trunk to a call, from a
/// call to the conference – suffer.
class faulty_world {
public:
  explicit faulty_world(std::uint64_t seed) : dice_(seed), room_(conference_type(), "k", seed, {{"check_ms", 5000}}) {
    for (const auto* id : {"a", "b", "c"}) {
      calls_.emplace(id, driven<call>(call_type(), id, dice_.bits()));
      legs_.emplace(id, driven<leg>(loopback_trunk_type(), id, dice_.bits()));
    }
    room_.request("POST", "/v1/conferences", {{"customer_id", "t"}});
  }

  void run() {
    const auto steps = 8 + dice_.roll(23);
    for (std::size_t i = 0; i < steps; ++i) {
      act();
      for (auto some = dice_.roll(6); some > 0; --some)
        deliver_one();
      if (dice_.once_in(3))
        pass(milliseconds{static_cast<std::int64_t>(dice_.roll(4000))});
    }
    clean_ = true;
    pass(40s); // enough checks for every silent one, and for a call whose leg is gone
    check();
  }

private:
  struct parcel {
    sdk::entity_ref from, to;
    std::string name, body;
  };

  void act() {
    const auto& id = dice_.one_of(ids_);
    auto& c = calls_.at(id);
    switch (dice_.roll(9)) {
    case 0:
    case 1:
      if (!c.state && !tried_.contains(id)) {
        tried_.insert(id);
        c.request("POST", "/v1/calls",
                  {{"customer_id", "t"},
                   {"source", "+1"},
                   {"destination", dice_.once_in(3) ? "+15559870103" : "+15559876543"}});
        post({"call", id}, c.sent);
      }
      break;
    case 2:
    case 3:
    case 4:
      room_.request("POST", "/v1/conferences/k/calls/" + id);
      post({"conference", "k"}, room_.sent);
      break;
    case 5:
      room_.request(dice_.once_in(2) ? "DELETE" : "POST", "/v1/conferences/k/calls/" + id + "/leave");
      if (room_.answered == 404) {
        room_.request("DELETE", "/v1/conferences/k/calls/" + id);
      }
      post({"conference", "k"}, room_.sent);
      break;
    case 6:
      if (c.state && dice_.once_in(2)) {
        c.request("POST", "/v1/calls/" + id + "/hangup");
        post({"call", id}, c.sent);
      }
      break;
    case 7:
      if (dice_.once_in(12)) {
        room_.request("POST", "/v1/conferences/k/stop");
        post({"conference", "k"}, room_.sent);
      }
      break;
    default: { // the far end just goes; or the switch restarts and has forgotten the leg
      auto& l = legs_.at(id);
      if (l.state && dice_.once_in(3)) {
        if (dice_.once_in(2)) {
          fire(l, "had_enough");
          post({"trunk", id}, l.sent);
        } else {
          l.state.reset();
          l.timers.clear();
        }
      }
      break;
    }
    }
  }

  static bool is_report(const parcel& p) { return p.from.type == "trunk" || p.to.type == "conference"; }

  void post(const sdk::entity_ref& from, const std::vector<sdk::send_effect>& sent) {
    for (const auto& one : sent) {
      parcel p{from, one.to, one.name, dump(one.body)};
      if (clean_ || !is_report(p)) {
        line_.push_back(std::move(p));
        continue;
      }
      if (dice_.once_in(5))
        continue; // lost
      if (dice_.once_in(5))
        late_.push_back(p); // doubled, the second one later
      if (dice_.once_in(5))
        late_.push_back(std::move(p));
      else
        line_.push_back(std::move(p));
    }
  }

  void deliver_one() {
    if (!late_.empty() && (clean_ || dice_.once_in(4))) {
      const auto chosen = late_.begin() + static_cast<std::ptrdiff_t>(dice_.roll(late_.size()));
      auto p = std::move(*chosen);
      late_.erase(chosen);
      return deliver(p);
    }
    if (line_.empty())
      return;
    // The oldest of some pair of entities.
    const auto& chosen = line_[dice_.roll(line_.size())];
    const auto first = std::find_if(line_.begin(), line_.end(),
                                    [&](const auto& p) { return p.from == chosen.from && p.to == chosen.to; });
    auto p = std::move(*first);
    line_.erase(first);
    deliver(p);
  }

  void deliver(const parcel& p) {
    if (p.to.type == "conference") {
      room_.tell_text(p.from, p.name, p.body);
      post(p.to, room_.sent);
    } else if (p.to.type == "call") {
      auto& to = calls_.at(p.to.id);
      to.tell_text(p.from, p.name, p.body);
      post(p.to, to.sent);
    } else if (p.to.type == "trunk") {
      auto& to = legs_.at(p.to.id);
      to.tell_text(p.from, p.name, p.body);
      post(p.to, to.sent);
    }
  }

  template <class State>
  void fire(driven<State>& actor, const std::string& name) {
    const auto found = actor.timers.find(name);
    actor.fire(name, found == actor.timers.end() ? json::object() : found->second.payload);
  }

  template <class State>
  void earliest(driven<State>& actor, time_point& due, std::function<void()>& then) {
    for (const auto& [name, one] : actor.timers) {
      if (one.due < due) {
        due = one.due;
        then = [this, &actor, which = name] {
          fire(actor, which);
          post(ref_of(actor), actor.sent);
        };
      }
    }
  }
  static sdk::entity_ref ref_of(const driven<call>& a) { return {"call", a.id()}; }
  static sdk::entity_ref ref_of(const driven<leg>& a) { return {"trunk", a.id()}; }
  static sdk::entity_ref ref_of(const driven<conference>& a) { return {"conference", a.id()}; }

  void set_time(time_point at) {
    now_ = at;
    room_.now = at;
    for (auto& [id, one] : calls_)
      one.now = at;
    for (auto& [id, one] : legs_)
      one.now = at;
  }

  void pass(milliseconds by) {
    const auto until = now_ + by;
    for (;;) {
      while (clean_ && (!line_.empty() || !late_.empty()))
        deliver_one();
      auto due = until;
      std::function<void()> then;
      earliest(room_, due, then);
      for (auto& [id, one] : calls_)
        earliest(one, due, then);
      for (auto& [id, one] : legs_)
        earliest(one, due, then);
      if (!then)
        break;
      set_time(std::max(now_, due));
      then();
      for (int i = 0; !clean_ && i < 4; ++i)
        deliver_one();
    }
    set_time(until);
  }

  void check() {
    std::set<std::string> ours, trunks, calls;
    if (room_.state) {
      for (const auto& one : room_.state->participants) {
        EXPECT_EQ(sdk::text(one.status), "joined") << one.call_id;
        ours.insert(one.call_id);
      }
    }
    for (const auto& [id, l] : legs_) {
      if (l.state && l.state->conference_id == "k")
        trunks.insert(id);
    }
    for (const auto& [id, c] : calls_) {
      if (c.state && c.state->conference_id == "k")
        calls.insert(id);
    }
    EXPECT_EQ(ours, trunks);
    EXPECT_EQ(calls, trunks);
    const bool over = room_.state && room_.state->status == conference_status::terminated;
    EXPECT_TRUE(!over || trunks.empty());
  }

  const std::vector<std::string> ids_{"a", "b", "c"};
  order_dice dice_;
  driven<conference> room_;
  std::map<std::string, driven<call>> calls_;
  std::map<std::string, driven<leg>> legs_;
  std::set<std::string> tried_;
  std::deque<parcel> line_;
  std::vector<parcel> late_;
  time_point now_{std::chrono::hours{24 * 365 * 56}};
  bool clean_ = false;
};

TEST(conference_model, the_participants_are_the_trunks_however_the_reports_came) {
  run_orders([](std::uint64_t seed) { faulty_world(seed).run(); }, 10);
}

} // namespace
} // namespace switchboard::telephony
