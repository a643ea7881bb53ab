// Map of this file: taking work -- deciding -- committing -- failing -- waiting for another attempt -- leaving memory.
#include "runtime/entity_host.hpp"

#include <algorithm>
#include <atomic>
#include <list>
#include <optional>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include "base/fail_point.hpp"
#include "base/random.hpp"
#include "broker/retry.hpp"
#include "runtime/dead_letters.hpp"
#include "runtime/entity_commit.hpp"
#include "runtime/log.hpp"
#include "runtime/replies.hpp"
#include "runtime/small_actor.hpp"

namespace switchboard::runtime {

// Sent to a host by itself.
struct committed {};   ///< the oldest pending outcome is durable
struct take_up_again { ///< work that was put aside
  std::uint64_t number = 0;
};
struct grave_asked_for { ///< by work that was put aside, to be buried for that reason
  std::uint64_t number = 0;
  bool declared = false;
  error why;
};

} // namespace switchboard::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::committed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::take_up_again)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::grave_asked_for)

namespace switchboard::runtime {

namespace {

constexpr auto grave_timeout = std::chrono::seconds{10};

/// Runs `handler` if that is the message.
template <class Message, class Handler>
bool on(caf::mailbox_element& what, Handler&& handler) {
  if (!what.content().match_elements<Message>())
    return false;
  handler(what.content().get_mutable_as<Message>(0));
  return true;
}

class entity_host final : public small_actor {
public:
  entity_host(caf::actor_config& config, entity_hosts& hosts, const served_type& type, std::string id)
      : small_actor(config, hosts.limits().mailbox_max, hosts.node().clock.now()),
        hosts_(hosts), at_{type, std::move(id)} {}

  const entity_address& at() const noexcept { return at_; }

  /// Whoever still has a reference, the store or a clock, must not keep the plugin's instance alive.
  void on_exit() override {
    live_.reset();
    pending_.clear();
    hosts_.ended(at_, id(), done_ + put_away(), refused_);
  }

  label handler_label() const override { return {at_.path(), "entity"}; }

protected:
  void handle(caf::mailbox_element& what) override {
    on<do_work>(what, [this](auto& told) { on_work(std::move(told.work)); }) ||
        on<committed>(what, [this](auto&) { on_committed(); }) ||
        on<take_up_again>(what, [this](const auto& which) { on_take_up_again(which.number); }) ||
        on<grave_asked_for>(what, [this](const auto& asked) { on_grave(asked); }) ||
        on<give_back_work>(what, [this](auto&) { on_give_back(); }) ||
        on<move_over>(what, [this](auto&) { on_move_over(); }) || on<leave_if_idle>(what, [this](auto&) {
          if (!is_parked()) // it would come back as if nothing had been
            retire();
        });
  }

  /// On the sender's thread, inside entity_hosts::tell().
  void on_refused(caf::mailbox_element& what) override {
    if (!what.content().match_elements<do_work>())
      return;
    const auto& work = *what.content().get_as<do_work>(0).work;
    refused_.fetch_add(1, std::memory_order_relaxed);
    hosts_.finished();
    answer_error(work, {errc::unavailable, title() + " has too much to do"});
  }

private:
  // -- taking work --------------------------------------------------------------------------------------------------

  void on_work(entity_work_ptr work) {
    ++taken_;
    take(std::move(work));
    retire_if_over();
  }

  void take(entity_work_ptr work) {
    load_once();
    if (work->what.kind == SB_TIMER && !is_armed(*work))
      return done(); // cancelled or armed anew while this one was on its way
    if (work->deadline && now() > *work->deadline)
      return discard(*work, {errc::timed_out, "the deadline had passed before it was begun"});
    if (is_ordered(*work) && hosts_.node().draining)
      return give_back(*work); // what waits for another attempt was given back, and this comes after it
    if (is_ordered(*work) && setbacks_ && setbacks_->first && setbacks_->first != work)
      return stand_behind(std::move(work));
    if (is_parked())
      return refuse_while_parked(std::move(work));
    if (setbacks_ && setbacks_->unreadable)
      return on_failure(std::move(work), error{*setbacks_->unreadable});
    if (!exists_ && !work->may_create)
      return discard(*work, {errc::not_found, "no such " + at_.type.name()});
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
    if (work.what.kind == SB_REQUEST && setbacks_ &&
        std::any_of(setbacks_->aside.begin(), setbacks_->aside.end(),
                    [&](const auto& one) { return same(one.second); }))
      return true;
    const auto found = hosts_.store().find_reply(scope, id);
    if (!found)
      return found.error();
    return found->has_value();
  }

  /// Where repeats of it are remembered; empty if they can't get here.
  std::string repeat_scope(const entity_work& work) const {
    if (work.what.kind == SB_EVENT)
      return event_scope(at_.type.name(), at_.id);
    if (work.what.kind == SB_REQUEST && work.again && work.answer)
      return work.answer->scope;
    return {};
  }

  /// Nothing came of it and nothing will: whoever sent it acknowledges, or the record of it goes.
  void discard(const entity_work& work, const error& why, milliseconds retry_after = milliseconds{0}) {
    if (work.from)
      answer_error(work, why, retry_after);
    else if (auto batch = make_discard(at_.type.name(), at_.id, work); !batch.empty())
      hosts_.store().submit(std::move(batch));
    forget_timer(work);
    done();
  }

  void forget_timer(const entity_work& work) {
    if (work.what.kind != SB_TIMER)
      return;
    timers_.erase(work.what.name);
    hosts_.timers().table().disarm(at_.type.name(), at_.id, work.what.name, work.timer);
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
    auto found = hosts_.store().find_entity(at_.type.name(), at_.id);
    if (!found) {
      need_setbacks().unreadable = found.error();
    } else if (*found) {
      keep(std::move(**found));
      exists_ = true;
    }
    for (auto& [name, token] : hosts_.timers().table().of(at_.type.name(), at_.id))
      timers_.emplace(std::move(name), token);
  }

  /// By the version that serves now, from the last good state. One that could not open this entity isn't asked twice.
  expected<void> open_instance() {
    const auto& wanted = at_.type.now();
    if (live_ && (live_->by == &wanted || refused_by_ == &wanted))
      return {};
    if (auto here = fetch_state(); !here)
      return here;
    auto opened = open_saved(at_.type, exists_ ? saved_state{last_.state, last_.state_version} : saved_state{});
    if (!opened)
      return opened.error();
    refused_by_ = opened->refusal.empty() ? nullptr : &wanted;
    if (refused_by_) {
      log::warning("entity_not_moved", {{"entity", at_.path()},
                                        {"to", wanted.version},
                                        {"decided_by", opened->by->version},
                                        {"reason", opened->refusal}});
      hosts_.kept({at_.type.name(), at_.id, opened->by->version, opened->refusal});
    }
    if (opened->downgraded) {
      last_.state = std::move(opened->downgraded->bytes);
      last_.state_version = opened->downgraded->version;
      downgraded_ = true;
    }
    live_.emplace(std::move(opened->instance), *opened->by);
    return {};
  }

  /// Hosts without anything to decide go over as well, and a state that only a later version reads is written anew.
  void on_move_over() {
    load_once();
    if (exists_ && !(setbacks_ && setbacks_->unreadable)) {
      if (auto opened = open_instance(); !opened)
        log::warning("entity_not_moved",
                     {{"entity", at_.path()}, {"to", at_.type.now().version}, {"reason", opened.error().what}});
      else if (downgraded_)
        commit_move();
    }
    forget_state();
    retire_if_over();
  }

  void decide(entity_work_ptr work) {
    if (auto opened = open_instance(); !opened)
      return on_failure(std::move(work), opened.error());
    const auto at = now();
    const auto random = random_bits();
    auto made = [&] {
      const handler_section deciding{*this, work->what.name};
      return live_->instance.decide(work->what, at_.id, at, random, live_->by->settings);
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
    const bool counts = !changes_nothing(*work, made);
    const bool has_base =
        counts && (downgraded_ || needs_base(last_.updated, last_.sequence + 1, at, hosts_.limits().journal_window));
    if (counts && (has_base || !made.state)) {
      if (auto here = fetch_state(); !here && !made.state)
        return on_failure(std::move(work), here.error());
      else if (!here) // the new state mends what can't be read; only the journal lacks it
        log::warning("journal_without_base", {{"entity", at_.path()}, {"reason", here.error().what}});
    }
    std::optional<store::entity_record> base;
    if (has_base && (has_state_ || !exists_))
      base = record(last_.state);
    entity_after after{record({}), exists_, !made.ended && (exists_ || made.state)};
    if (counts)
      update(after.record, made, at);
    broker::publisher publisher{hosts_.node().broker};
    auto result =
        make_commit(after, *work, made, timers_, at, {*live_->by, random, base ? &*base : nullptr}, tools(publisher));
    if (counts) {
      downgraded_ = false;
      keep(std::move(after.record));
    }
    if (!after.exists)
      live_.reset(); // whoever comes next meets a new entity
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
    ++last_.sequence;
    last_.updated = now();
    const auto moved = record(last_.state);
    outcome_commit made;
    made.batch = make_move(moved, moved.updated, {*live_->by, 0, &moved});
    submit(nullptr, std::move(made));
  }

  commit_tools tools(broker::publisher& publisher) {
    return {hosts_.store(), publisher, hosts_.timers().table(), hosts_.limits().reply_window};
  }

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

  void update(store::entity_record& record, const decision& made, time_point at) const {
    ++record.sequence;
    record.updated = at;
    if (!exists_)
      record.created = at;
    if (!made.state) {
      record.state = last_.state;
      return;
    }
    record.state_version = made.state->version;
    record.customer_id = made.state->customer_id;
    record.state = made.state->bytes;
  }

  store::entity_record record(std::string state) const {
    return {at_.type.name(), at_.id,        last_.customer_id, last_.state_version, last_.sequence,
            last_.epoch,     last_.created, last_.updated,     std::move(state)};
  }

  void keep(store::entity_record&& record) {
    last_ = {std::move(record.customer_id),
             std::move(record.state),
             record.state_version,
             record.sequence,
             record.epoch,
             record.created,
             record.updated};
    has_state_ = true;
  }

  /// What forget_state() left to the store.
  expected<void> fetch_state() {
    if (!exists_ || has_state_)
      return {};
    auto found = hosts_.store().find_entity(at_.type.name(), at_.id);
    if (!found)
      return found.error();
    if (!*found)
      return {errc::corrupt, "its state is not in the store any more"};
    last_.state = std::move((*found)->state);
    has_state_ = true;
    return {};
  }

  /// The instance has the state in its own form. The saved one is rarely asked for, and once it is durable the store
  /// has it.
  void forget_state() {
    if (!pending_.empty() || !live_ || downgraded_ || !exists_)
      return;
    std::string{}.swap(last_.state);
    has_state_ = false;
  }

  void on_committed() {
    pass(fail_point::entity_committed);
    auto [work, leaving] = std::move(pending_.front());
    pending_.pop_front();
    if (!work) { // the state was taken back to an older version, and nobody waits for that
      forget_state();
      return retire_if_over();
    }
    // Timers first: whoever hears of the outcome finds them as it left them.
    for (auto& step : leaving.timers)
      if (step.arm)
        hosts_.timers().arm(std::move(step.timer));
      else
        hosts_.timers().table().disarm(at_.type.name(), at_.id, step.timer.name, step.timer.token);
    leaving.messages.send();
    if (work->from)
      caf::anon_send<caf::message_priority::high>(work->from,
                                                  work_done{work->token, true, leaving.status, leaving.reply});
    for (auto& send : leaving.sends)
      if (!hosts_.tell(send.type, send.id, send.work))
        log::warning("message_kept", {{"from", at_.path()}, {"to_type", send.type}, {"name", send.work->what.name}});
    count_events(leaving);
    done();
    forget_state();
    retire_if_over();
  }

  void count_events(const outgoing& left) {
    for (const auto& type : left.event_types)
      hosts_.node().metrics.events.Add({{"type", type}}).Increment();
    for (const auto& type : left.unrouted) {
      hosts_.node().metrics.dropped.Add({{"bridge", "runtime"}, {"reason", "no_exchange"}}).Increment();
      log::warning("event_without_exchange", {{"from", at_.path()}, {"type", type}});
    }
  }

  // -- failing ------------------------------------------------------------------------------------------------------

  /// A request that may succeed later is tried again, anything else that is asked for is answered: who asked decides.
  /// Nobody waits for the answer of an event, a message or a timer, and the state may be another one next time.
  void on_failure(entity_work_ptr work, const error& why) {
    live_.reset(); // the saved state is the last good one
    if (setbacks_ && std::exchange(setbacks_->unreadable, std::nullopt))
      loaded_ = false; // perhaps it can be read next time
    hosts_.node().metrics.entities_failed.Add({{"type", at_.type.name()}}).Increment();
    log::failure("decision_failed", {{"entity", at_.path()},
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
    broker::publisher publisher{hosts_.node().broker};
    auto made = make_burial({at_.type.name(), at_.id, work}, why, failed_answer(), now(), tools(publisher));
    if (!made)
      return declare_grave(std::move(work), why);
    log::failure("dead_letter", {{"queue", home_queue(at_.type.name(), *work)},
                                 {"entity", at_.path()},
                                 {"message", work->what.name},
                                 {"message_id", work->what.message_id},
                                 {"attempts", work->attempt},
                                 {"reason", why.what}});
    forget_timer(*work);
    submit(std::move(work), std::move(*made));
  }

  /// What went wrong is for the log and the dead letter, not for whoever asks.
  error failed_answer() const { return {errc::internal, title() + " could not decide"}; }

  /// The queue for its dead letters is made when there is one.
  void declare_grave(entity_work_ptr work, const error& why) {
    broker::declare_queue what;
    what.spec.name = broker::dead_letter_queue(home_queue(at_.type.name(), *work));
    what.spec.durable = true;
    if (is_ordered(*work))
      need_setbacks().first = work;
    const auto number = keep_aside(std::move(work));
    const auto self = caf::actor_cast<caf::actor>(this);
    hosts_.node().system.spawn([self, number, why, topology = hosts_.node().broker->topology(),
                                what = std::move(what)](caf::event_based_actor* asker) mutable {
      const auto tell = [=](bool declared) {
        caf::anon_send<caf::message_priority::high>(self, grave_asked_for{number, declared, why});
      };
      asker->request(topology, grave_timeout, std::move(what))
          .then([tell](const broker::queue_ok&) { tell(true); }, [tell](const caf::error&) { tell(false); });
    });
  }

  void on_grave(const grave_asked_for& asked) {
    if (!asked.declared) // nothing is lost: it is tried once more
      return take_up_later(asked.number, hosts_.limits().parked);
    if (auto kept = take_aside(asked.number)) {
      bury(kept, asked.why);
      after(kept);
    }
    retire_if_over();
  }

  void count_failure() {
    // The wait of the decision is not used: a message that fails is put aside on its own, and those behind it have done
    // nothing wrong.
    const auto next =
        need_setbacks().failures.on_exit(restart_policy::permanent, true, hosts_.limits().failures, now(), 0);
    counts_.restarts.fetch_add(1, std::memory_order_relaxed);
    if (next.what != after_exit::park)
      return;
    setbacks_->failures.clear();
    setbacks_->parked_until = now() + hosts_.limits().parked;
    hosts_.node().metrics.parked.Add({{"kind", "entity"}}).Increment();
    log::failure("entity_parked", {{"entity", at_.path()}, {"for_ms", hosts_.limits().parked.count()}});
  }

  bool is_parked() const { return setbacks_ && now() < setbacks_->parked_until; }

  void refuse_while_parked(entity_work_ptr work) {
    const auto left = std::max(milliseconds{1}, setbacks_->parked_until - now());
    if (work->what.kind == SB_REQUEST)
      return discard(*work, {errc::unavailable, title() + " failed too often; try again later"}, left);
    put_aside(std::move(work), left);
  }

  // -- waiting for another attempt ----------------------------------------------------------------------------------

  /// Events and messages of others are done in the order in which they came: behind one that has to wait, they wait.
  static bool is_ordered(const entity_work& work) { return work.what.kind == SB_EVENT || work.what.kind == SB_MESSAGE; }

  void put_aside(entity_work_ptr work, milliseconds wait) {
    if (hosts_.node().draining)
      return give_back(*work);
    if (is_ordered(*work))
      need_setbacks().first = work;
    take_up_later(keep_aside(std::move(work)), wait);
  }

  void take_up_later(std::uint64_t number, milliseconds wait) {
    caf::delayed_anon_send<caf::message_priority::high>(caf::actor_cast<caf::actor>(this), wait, take_up_again{number});
  }

  /// Shutdown does not wait for it: it is on disk and comes back at the next start.
  std::uint64_t keep_aside(entity_work_ptr work) {
    hosts_.finished();
    if (need_setbacks().aside.empty())
      hosts_.put_aside(caf::actor_cast<caf::actor>(this), true);
    setbacks_->aside.emplace(++setbacks_->last_aside, std::move(work));
    return setbacks_->last_aside;
  }

  /// Null if it was given back meanwhile.
  entity_work_ptr take_aside(std::uint64_t number) {
    if (!setbacks_)
      return nullptr;
    auto found = setbacks_->aside.extract(number);
    if (!found)
      return nullptr;
    hosts_.resumed();
    if (setbacks_->aside.empty())
      hosts_.put_aside(caf::actor_cast<caf::actor>(this), false);
    return std::move(found.mapped());
  }

  void on_take_up_again(std::uint64_t number) {
    if (auto work = take_aside(number)) {
      take(work);
      after(work);
    }
    retire_if_over();
  }

  /// If that was the one others stand behind, they go on.
  void after(const entity_work_ptr& work) {
    if (!setbacks_ || setbacks_->first != work || is_aside(work))
      return;
    setbacks_->first = nullptr;
    while (!setbacks_->first && !setbacks_->behind.empty()) {
      auto next = std::move(setbacks_->behind.front());
      setbacks_->behind.pop_front();
      hosts_.resumed();
      take(std::move(next));
    }
  }

  bool is_aside(const entity_work_ptr& work) const {
    return std::any_of(setbacks_->aside.begin(), setbacks_->aside.end(),
                       [&](const auto& each) { return each.second == work; });
  }

  void stand_behind(entity_work_ptr work) {
    if (hosts_.node().draining)
      return give_back(*work);
    hosts_.finished();
    setbacks_->behind.push_back(std::move(work));
  }

  void on_give_back() {
    hosts_.put_aside(caf::actor_cast<caf::actor>(this), false);
    if (!setbacks_)
      return;
    auto all = std::exchange(setbacks_->behind, {});
    for (auto& [number, work] : std::exchange(setbacks_->aside, {}))
      all.push_back(std::move(work));
    for (const auto& work : all) {
      hosts_.resumed();
      give_back(*work);
    }
    setbacks_->first = nullptr;
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
    if (pending_.empty() && (!setbacks_ || setbacks_->aside.empty()) && hosts_.retire(at_, taken_ + refused_))
      quit();
  }

  std::uint64_t put_away() const { return setbacks_ ? setbacks_->aside.size() + setbacks_->behind.size() : 0; }

  std::string title() const { return at_.type.name() + " " + at_.id; }
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

  /// The saved entity, but for its address.
  struct last_outcome {
    std::string customer_id;
    std::string state;
    std::uint32_t state_version = 0;
    std::uint64_t sequence = 0;
    std::uint64_t epoch = 0;
    time_point created{};
    time_point updated{};
  };

  /// What only those have with whom something went wrong.
  struct setbacks {
    std::optional<error> unreadable;                ///< why the stored record could not be read
    std::map<std::uint64_t, entity_work_ptr> aside; ///< waiting to be taken up again
    std::uint64_t last_aside = 0;
    entity_work_ptr first;             ///< of the ordered ones that wait, if any does
    std::list<entity_work_ptr> behind; ///< ordered ones that came after it
    restart_history failures;
    time_point parked_until{};
  };
  setbacks& need_setbacks() {
    if (!setbacks_)
      setbacks_ = std::make_unique<setbacks>();
    return *setbacks_;
  }

  // There may be a million of these: what few need stands in setbacks, what can be had elsewhere is not kept.
  entity_hosts& hosts_;
  const entity_address at_;
  last_outcome last_; ///< after the last decision; the commits in pending_ may not be durable yet
  bool exists_ = false;
  bool loaded_ = false;
  bool has_state_ = false;  ///< else last_.state is in the store alone
  bool downgraded_ = false; ///< last_.state is in an older form than the stored one
  std::optional<live_instance> live_;
  const hosted_type* refused_by_ = nullptr; ///< the version that could not open the state, if another one decides
  entity_timers timers_;
  std::list<pending> pending_; ///< submitted, oldest first; an empty deque has 600 bytes, a list none
  std::unique_ptr<setbacks> setbacks_;
  std::uint64_t taken_ = 0; ///< pieces of work received
  std::uint64_t done_ = 0;  ///< ... and finished
  std::atomic<std::uint64_t> refused_{0};
};

} // namespace

live_entity spawn_entity_host(entity_hosts& hosts, const served_type& type, std::string id) {
  auto host = hosts.node().system.spawn<entity_host>(hosts, type, std::move(id));
  const auto& made = *static_cast<const entity_host*>(caf::actor_cast<caf::abstract_actor*>(host));
  return {std::move(host), &made.at(), &made.counts()};
}

} // namespace switchboard::runtime
