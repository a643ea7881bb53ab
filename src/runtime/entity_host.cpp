// Map of this file: taking work -- deciding -- committing -- failing -- waiting for another attempt -- leaving memory.
#include "runtime/entity_host.hpp"

#include <algorithm>
#include <atomic>
#include <list>
#include <optional>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/send.hpp>

#include "base/fail_point.hpp"
#include "base/random.hpp"
#include "broker/retry.hpp"
#include "runtime/bounded_actor.hpp"
#include "runtime/dead_letters.hpp"
#include "runtime/entity_commit.hpp"
#include "runtime/log.hpp"
#include "runtime/replies.hpp"

namespace switchboard::runtime {

// Sent to a host by itself.
struct committed {};   ///< the oldest pending outcome is durable
struct take_up_again { ///< work that was put aside
  std::uint64_t number = 0;
};

} // namespace switchboard::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::committed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::take_up_again)

namespace switchboard::runtime {

namespace {

constexpr auto grave_timeout = std::chrono::seconds{10};

class entity_host final : public bounded_actor {
public:
  entity_host(caf::actor_config& config, entity_hosts& hosts, const served_type& type, const std::string& id)
      : bounded_actor(
            config, {hosts.limits().mailbox_max, mailbox_overflow::reject},
            hosts.node().directory.enter("/entities/" + type.name() + "/" + id, "entity", hosts.node().clock.now())),
        hosts_(hosts), type_(type), publisher_(hosts.node().broker) {
    record_.type = type.name();
    record_.id = id;
  }

  caf::behavior make_behavior() override {
    return {
        [this](do_work& what) { on_work(std::move(what.work)); },
        [this](committed) { on_committed(); },
        [this](const take_up_again& what) { on_take_up_again(what.number); },
        [this](give_back_work) { on_give_back(); },
        [this](move_over) { on_move_over(); },
        [this](leave_if_idle) {
          if (now() >= parked_until_) // it would come back as if nothing had been
            retire();
        },
    };
  }

  void on_exit() override {
    hosts_.ended(record_.type, record_.id, id(), done_ + aside_.size() + behind_.size() + refused_);
  }

protected:
  /// On the sender's thread, inside entity_hosts::tell().
  void on_refused(caf::mailbox_element& what) override {
    if (!what.content().match_elements<do_work>())
      return;
    const auto& work = *what.content().get_as<do_work>(0).work;
    refused_.fetch_add(1, std::memory_order_relaxed);
    hosts_.finished();
    answer_error(work, {errc::unavailable, record_.type + " " + record_.id + " has too much to do"});
  }

private:
  // -- taking work --------------------------------------------------------------------------------------------------

  void on_work(entity_work_ptr work) {
    ++taken_;
    handle(std::move(work));
    retire_if_over();
  }

  void handle(entity_work_ptr work) {
    load_once();
    if (work->what.kind == SB_TIMER && !is_armed(*work))
      return done(); // cancelled or armed anew while this one was on its way
    if (work->deadline && now() > *work->deadline)
      return discard(*work, {errc::timed_out, "the deadline had passed before it was begun"});
    if (is_ordered(*work) && hosts_.node().draining)
      return give_back(*work); // what waits for another attempt was given back, and this comes after it
    if (is_ordered(*work) && first_ && first_ != work)
      return stand_behind(std::move(work));
    if (now() < parked_until_)
      return refuse_while_parked(std::move(work));
    if (unreadable_)
      return on_failure(std::move(work), *unreadable_);
    if (!exists_ && !work->may_create)
      return discard(*work, {errc::not_found, "no such " + record_.type});
    const auto repeated = is_repeated(*work);
    if (!repeated)
      return on_failure(std::move(work), repeated.error()); // perhaps it was done already
    if (*repeated && work->what.kind == SB_REQUEST)
      return give_back(*work); // comes again, and finds its reply
    if (*repeated)
      return discard(*work, {});
    decide(std::move(work));
  }

  bool is_armed(const entity_work& work) const {
    const auto found = timers_.find(work.what.name);
    // One that is replayed from the dead letters was disarmed when it got there.
    return work.timer == 0 ? found == timers_.end() : found != timers_.end() && found->second == work.timer;
  }

  /// Done before, or about to be: an event of that id; a request that its service, started anew, brings once more.
  expected<bool> is_repeated(const entity_work& work) {
    const auto scope = repeat_scope(work);
    const auto& id = work.what.message_id;
    if (scope.empty() || id.empty())
      return false;
    const auto same = [&](const entity_work_ptr& one) {
      return one && one->what.kind == work.what.kind && one->what.message_id == id;
    };
    if (std::any_of(pending_.begin(), pending_.end(), [&](const pending& one) { return same(one.work); }))
      return true;
    if (work.what.kind == SB_REQUEST &&
        std::any_of(aside_.begin(), aside_.end(), [&](const auto& one) { return same(one.second); }))
      return true;
    const auto found = hosts_.store().find_reply(scope, id);
    if (!found)
      return found.error();
    return found->has_value();
  }

  /// Where repeats of it are remembered; empty if they can't get here.
  std::string repeat_scope(const entity_work& work) const {
    if (work.what.kind == SB_EVENT)
      return event_scope(record_.type, record_.id);
    if (work.what.kind == SB_REQUEST && work.again && work.answer)
      return work.answer->scope;
    return {};
  }

  /// Nothing came of it and nothing will: whoever sent it acknowledges, or the record of it goes.
  void discard(const entity_work& work, const error& why, milliseconds retry_after = milliseconds{0}) {
    if (work.from)
      answer_error(work, why, retry_after);
    else if (auto batch = make_discard(record_.type, record_.id, work); !batch.empty())
      hosts_.store().submit(std::move(batch));
    forget_timer(work);
    done();
  }

  void forget_timer(const entity_work& work) {
    if (work.what.kind != SB_TIMER)
      return;
    timers_.erase(work.what.name);
    hosts_.timers().table().disarm(record_.type, record_.id, work.what.name, work.timer);
  }

  /// Thread-safe: on_refused() calls it too.
  void answer_error(const entity_work& work, const error& why, milliseconds retry_after = milliseconds{0}) const {
    if (!work.from)
      return;
    work_done answer{work.token, false, status_of(why.code), nullptr};
    if (work.answer)
      answer.reply =
          std::make_shared<const std::string>(encode_error(*work.answer, why, hosts_.node().clock.now(), retry_after));
    caf::anon_send<caf::message_priority::high>(work.from, std::move(answer));
  }

  // -- deciding -----------------------------------------------------------------------------------------------------

  void load_once() {
    if (loaded_)
      return;
    loaded_ = true;
    auto found = hosts_.store().find_entity(record_.type, record_.id);
    if (!found) {
      unreadable_ = found.error();
    } else if (*found) {
      record_ = std::move(**found);
      exists_ = true;
    }
    for (auto& [name, token] : hosts_.timers().table().of(record_.type, record_.id))
      timers_.emplace(std::move(name), token);
  }

  /// By the version that serves now, from the last good state. One that could not open this entity isn't asked twice.
  expected<void> open_instance() {
    const auto& wanted = type_.now();
    if (live_ && (live_->by == &wanted || refused_by_ == &wanted))
      return {};
    auto opened = open_saved(type_, exists_ ? saved_state{record_.state, record_.state_version} : saved_state{});
    if (!opened)
      return opened.error();
    refused_by_ = opened->refusal.empty() ? nullptr : &wanted;
    if (refused_by_) {
      log::warning("entity_not_moved", {{"entity", card().path},
                                        {"to", wanted.version},
                                        {"decided_by", opened->by->version},
                                        {"reason", opened->refusal}});
      hosts_.kept({record_.type, record_.id, opened->by->version, opened->refusal});
    }
    if (opened->downgraded) {
      record_.state = std::move(opened->downgraded->bytes);
      record_.state_version = opened->downgraded->version;
      downgraded_ = true;
    }
    live_.emplace(std::move(opened->instance), *opened->by);
    return {};
  }

  /// Hosts without anything to decide go over as well, and a state that only a later version reads is written anew.
  void on_move_over() {
    load_once();
    if (exists_ && !unreadable_) {
      if (auto opened = open_instance(); !opened)
        log::warning("entity_not_moved",
                     {{"entity", card().path}, {"to", type_.now().version}, {"reason", opened.error().what}});
      else if (downgraded_)
        commit_move();
    }
    retire_if_over();
  }

  void decide(entity_work_ptr work) {
    if (auto opened = open_instance(); !opened)
      return on_failure(std::move(work), opened.error());
    const auto at = now();
    const auto random = random_bits();
    auto made = [&] {
      const handler_section deciding{*this, work->what.name};
      return live_->instance.decide(work->what, record_.id, at, random, live_->by->settings);
    }();
    if (!made) {
      live_->by->failed.fetch_add(1, std::memory_order_relaxed);
      return on_failure(std::move(work), made.error());
    }
    live_->by->decided.fetch_add(1, std::memory_order_relaxed);
    commit(std::move(work), *made, at, random);
  }

  // -- committing ---------------------------------------------------------------------------------------------------

  void commit(entity_work_ptr work, const decision& made, time_point at, std::uint64_t random) {
    entity_after after{record_, exists_, !made.ended && (exists_ || made.state)};
    const bool counts = !changes_nothing(*work, made);
    if (counts)
      update(after.record, exists_, made, at);
    const bool has_base = downgraded_ || needs_base(record_, after.record.sequence, at, hosts_.limits().journal_window);
    auto result =
        make_commit(after, *work, made, timers_, at, {*live_->by, random, has_base ? &record_ : nullptr}, tools());
    if (counts)
      downgraded_ = false;
    if (!after.exists)
      live_.reset(); // whoever comes next meets a new entity
    record_ = std::move(after.record);
    exists_ = after.exists;
    for (const auto& step : result.leaving.timers)
      if (step.arm)
        timers_[step.timer.name] = step.timer.token;
      else
        timers_.erase(step.timer.name);
    submit(std::move(work), std::move(result));
  }

  void commit_move() {
    downgraded_ = false;
    ++record_.sequence;
    record_.updated = now();
    outcome_commit made;
    made.batch = make_move(record_, record_.updated, {*live_->by, 0, &record_});
    submit(nullptr, std::move(made));
  }

  commit_tools tools() { return {hosts_.store(), publisher_, hosts_.timers().table(), hosts_.limits().reply_window}; }

  void submit(entity_work_ptr work, outcome_commit made) {
    pending_.push_back({std::move(work), std::move(made.leaving)});
    pass(fail_point::entity_before_commit);
    // An answer that changes nothing, and tells of nothing that isn't durable, need not wait for the syncs of others.
    if (made.batch.empty() && pending_.size() == 1 && exists_)
      return on_committed();
    hosts_.store().submit(std::move(made.batch), [self = caf::actor_cast<caf::actor>(this)] {
      caf::anon_send<caf::message_priority::high>(self, committed{});
    });
    pass(fail_point::entity_submitted);
  }

  static void update(store::entity_record& record, bool existed, const decision& made, time_point at) {
    ++record.sequence;
    record.updated = at;
    if (!existed)
      record.created = at;
    if (!made.state)
      return;
    record.state_version = made.state->version;
    record.customer_id = made.state->customer_id;
    record.state = made.state->bytes;
  }

  void on_committed() {
    pass(fail_point::entity_committed);
    auto [work, leaving] = std::move(pending_.front());
    pending_.pop_front();
    if (!work) // the state was taken back to an older version, and nobody waits for that
      return retire_if_over();
    // Timers first: whoever hears of the outcome finds them as it left them.
    for (auto& step : leaving.timers)
      if (step.arm)
        hosts_.timers().arm(std::move(step.timer));
      else
        hosts_.timers().table().disarm(record_.type, record_.id, step.timer.name, step.timer.token);
    leaving.messages.send();
    if (work->from)
      caf::anon_send<caf::message_priority::high>(work->from,
                                                  work_done{work->token, true, leaving.status, leaving.reply});
    for (auto& send : leaving.sends)
      if (!hosts_.tell(send.type, send.id, send.work))
        log::warning("message_kept", {{"from", card().path}, {"to_type", send.type}, {"name", send.work->what.name}});
    count_events(leaving);
    done();
    retire_if_over();
  }

  void count_events(const outgoing& left) {
    for (const auto& type : left.event_types)
      hosts_.node().metrics.events.Add({{"type", type}}).Increment();
    for (const auto& type : left.unrouted) {
      hosts_.node().metrics.dropped.Add({{"bridge", "runtime"}, {"reason", "no_exchange"}}).Increment();
      log::warning("event_without_exchange", {{"from", card().path}, {"type", type}});
    }
  }

  // -- failing ------------------------------------------------------------------------------------------------------

  /// A request that may succeed later is tried again, anything else that is asked for is answered: who asked decides.
  /// Nobody waits for the answer of an event, a message or a timer, and the state may be another one next time.
  void on_failure(entity_work_ptr work, const error& why) {
    live_.reset(); // record_ is the last good state
    if (std::exchange(unreadable_, std::nullopt))
      loaded_ = false; // perhaps it can be read next time
    hosts_.node().metrics.entities_failed.Add({{"type", record_.type}}).Increment();
    log::failure("decision_failed", {{"entity", card().path},
                                     {"message", work->what.name},
                                     {"message_id", work->what.message_id},
                                     {"attempt", work->attempt},
                                     {"reason", why.what}});
    count_failure();
    if (work->first_error.empty())
      work->first_error = why.what;
    const bool request = work->what.kind == SB_REQUEST;
    const bool never = why.code == errc::bad_format || why.code == errc::corrupt;
    const auto wait = broker::retry_wait(hosts_.limits().retry, work->attempt, random_bits());
    if (never || !wait || (request && why.code != errc::unavailable))
      return bury(std::move(work), why);
    if (work->deadline && now() + *wait > *work->deadline)
      return discard(*work, failed_answer());
    ++work->attempt;
    put_aside(std::move(work), *wait);
  }

  /// As a dead letter.
  void bury(entity_work_ptr work, const error& why) {
    if (work->what.kind == SB_REQUEST && work->what.name == "GET") // there is nothing to do again
      return discard(*work, failed_answer());
    auto made = make_burial({record_.type, record_.id, work}, why, failed_answer(), now(), tools());
    if (!made)
      return declare_grave(std::move(work), why);
    log::failure("dead_letter", {{"queue", home_queue(record_.type, *work)},
                                 {"entity", card().path},
                                 {"message", work->what.name},
                                 {"message_id", work->what.message_id},
                                 {"attempts", work->attempt},
                                 {"reason", why.what}});
    forget_timer(*work);
    submit(std::move(work), std::move(*made));
  }

  /// What went wrong is for the log and the dead letter, not for whoever asks.
  error failed_answer() const { return {errc::internal, record_.type + " " + record_.id + " could not decide"}; }

  /// The queue for its dead letters is made when there is one.
  void declare_grave(entity_work_ptr work, const error& why) {
    broker::declare_queue what;
    what.spec.name = broker::dead_letter_queue(home_queue(record_.type, *work));
    what.spec.durable = true;
    if (is_ordered(*work))
      first_ = work;
    const auto number = keep_aside(std::move(work));
    request(hosts_.node().broker->topology(), grave_timeout, std::move(what))
        .then(
            [this, number, why](const broker::queue_ok&) {
              if (auto kept = take_aside(number)) {
                bury(kept, why);
                after(kept);
              }
            },
            [this, number](const caf::error&) { // nothing is lost: it is tried once more
              delayed_send<caf::message_priority::high>(this, hosts_.limits().parked, take_up_again{number});
            });
  }

  void count_failure() {
    // The wait of the decision is not used: a message that fails is put aside on its own, and those behind it have done
    // nothing wrong.
    const auto next = failures_.on_exit(restart_policy::permanent, true, hosts_.limits().failures, now(), 0);
    card().restarts.fetch_add(1, std::memory_order_relaxed);
    if (next.what != after_exit::park)
      return;
    failures_.clear();
    parked_until_ = now() + hosts_.limits().parked;
    hosts_.node().metrics.parked.Add({{"kind", "entity"}}).Increment();
    log::failure("entity_parked", {{"entity", card().path}, {"for_ms", hosts_.limits().parked.count()}});
  }

  void refuse_while_parked(entity_work_ptr work) {
    const auto left = std::max(milliseconds{1}, parked_until_ - now());
    if (work->what.kind == SB_REQUEST)
      return discard(*work, {errc::unavailable, record_.type + " " + record_.id + " failed too often; try again later"},
                     left);
    put_aside(std::move(work), left);
  }

  // -- waiting for another attempt ----------------------------------------------------------------------------------

  /// Events and messages of others are done in the order in which they came: behind one that has to wait, they wait.
  static bool is_ordered(const entity_work& work) { return work.what.kind == SB_EVENT || work.what.kind == SB_MESSAGE; }

  void put_aside(entity_work_ptr work, milliseconds wait) {
    if (hosts_.node().draining)
      return give_back(*work);
    if (is_ordered(*work))
      first_ = work;
    delayed_send<caf::message_priority::high>(this, wait, take_up_again{keep_aside(std::move(work))});
  }

  /// Shutdown does not wait for it: it is on disk and comes back at the next start.
  std::uint64_t keep_aside(entity_work_ptr work) {
    hosts_.finished();
    if (aside_.empty())
      hosts_.put_aside(caf::actor_cast<caf::actor>(this), true);
    aside_.emplace(++last_aside_, std::move(work));
    return last_aside_;
  }

  /// Null if it was given back meanwhile.
  entity_work_ptr take_aside(std::uint64_t number) {
    auto found = aside_.extract(number);
    if (!found)
      return nullptr;
    hosts_.resumed();
    if (aside_.empty())
      hosts_.put_aside(caf::actor_cast<caf::actor>(this), false);
    return std::move(found.mapped());
  }

  void on_take_up_again(std::uint64_t number) {
    if (auto work = take_aside(number)) {
      handle(work);
      after(work);
    }
    retire_if_over();
  }

  /// If that was the one others stand behind, they go on.
  void after(const entity_work_ptr& work) {
    if (first_ != work || is_aside(work))
      return;
    first_ = nullptr;
    while (!first_ && !behind_.empty()) {
      auto next = std::move(behind_.front());
      behind_.pop_front();
      hosts_.resumed();
      handle(std::move(next));
    }
  }

  bool is_aside(const entity_work_ptr& work) const {
    return std::any_of(aside_.begin(), aside_.end(), [&](const auto& each) { return each.second == work; });
  }

  void stand_behind(entity_work_ptr work) {
    if (hosts_.node().draining)
      return give_back(*work);
    hosts_.finished();
    behind_.push_back(std::move(work));
  }

  void on_give_back() {
    hosts_.put_aside(caf::actor_cast<caf::actor>(this), false);
    auto all = std::exchange(behind_, {});
    for (auto& [number, work] : std::exchange(aside_, {}))
      all.push_back(std::move(work));
    for (const auto& work : all) {
      hosts_.resumed();
      give_back(*work);
    }
    first_ = nullptr;
    retire_if_over();
  }

  /// To its queue; timers and messages of others are found at the next start.
  void give_back(const entity_work& work) {
    if (work.from)
      caf::anon_send<caf::message_priority::high>(
          work.from, work_done{work.token, false, status_of(errc::stopping), nullptr, true});
    done();
  }

  // -- leaving memory -----------------------------------------------------------------------------------------------

  void done() {
    ++done_;
    hosts_.finished();
  }

  /// There is no such entity any more, or it came to memory only to go over to another version.
  void retire_if_over() {
    if (!exists_ || taken_ == 0)
      retire();
  }

  void retire() {
    if (pending_.empty() && aside_.empty() && hosts_.retire(record_.type, record_.id, taken_ + refused_))
      quit();
  }

  time_point now() const { return hosts_.node().clock.now(); }

  /// The instance, counted at the version that opened it.
  struct live_instance {
    live_instance(entity_instance opened, const hosted_type& opener) : instance(std::move(opened)), by(&opener) {
      by->live.fetch_add(1, std::memory_order_relaxed);
    }
    ~live_instance() { by->live.fetch_sub(1, std::memory_order_relaxed); }
    live_instance(const live_instance&) = delete;
    live_instance& operator=(const live_instance&) = delete;

    entity_instance instance;
    const hosted_type* by;
  };

  struct pending {
    entity_work_ptr work; ///< null: none, see commit_move()
    outgoing leaving;
  };

  entity_hosts& hosts_;
  const served_type& type_;
  broker::publisher publisher_;
  store::entity_record record_; ///< after the last decision; the commits in pending_ may not be durable yet
  bool exists_ = false;
  bool loaded_ = false;
  std::optional<error> unreadable_; ///< why the stored record could not be read
  std::optional<live_instance> live_;
  const hosted_type* refused_by_ = nullptr; ///< the version that could not open the state, if another one decides
  bool downgraded_ = false;                 ///< record_'s state is in an older form than the stored one
  entity_timers timers_;
  std::list<pending> pending_; ///< submitted, oldest first; an empty deque has 600 bytes, a list none
  std::map<std::uint64_t, entity_work_ptr> aside_; ///< waiting to be taken up again
  std::uint64_t last_aside_ = 0;
  entity_work_ptr first_;             ///< of the ordered ones that wait, if any does
  std::list<entity_work_ptr> behind_; ///< ordered ones that came after it
  restart_history failures_;
  time_point parked_until_{};
  std::uint64_t taken_ = 0; ///< pieces of work received
  std::uint64_t done_ = 0;  ///< ... and finished
  std::atomic<std::uint64_t> refused_{0};
};

} // namespace

caf::actor spawn_entity_host(entity_hosts& hosts, const served_type& type, const std::string& id) {
  return hosts.node().system.spawn<entity_host>(hosts, type, id);
}

} // namespace switchboard::runtime
