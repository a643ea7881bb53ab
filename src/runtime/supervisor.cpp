#include "runtime/supervisor.hpp"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/random.hpp"
#include "broker/errors.hpp"
#include "runtime/bounded_actor.hpp"
#include "runtime/log.hpp"

namespace switchboard::runtime {

// Sent by a supervisor to itself.
struct start_group {
  std::uint64_t number = 0; ///< of the waiting group
};

} // namespace switchboard::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::start_group)

namespace switchboard::runtime {

namespace {

bool is_failure(const caf::error& reason) {
  return reason && reason != caf::exit_reason::user_shutdown && reason != caf::exit_reason::normal;
}

class supervisor final : public bounded_actor {
public:
  supervisor(caf::actor_config& config, node_context& node, supervisor_options options)
      : bounded_actor(config, {}, node.directory.enter(options.path, "supervisor", node.clock.now())), node_(node),
        options_(std::move(options)) {
    set_down_handler([this](caf::down_msg& down) { on_down(down); });
    set_exit_handler([this](caf::exit_msg& exit) {
      exit_reason_ = exit.reason;
      begin_stop();
    });
  }

  caf::behavior make_behavior() override {
    return {
        [this](add_child& what) -> caf::result<child_added> { return on_add(std::move(what.spec)); },
        [this](const inspect_child& what) -> caf::result<child_state> { return on_inspect(what.name); },
        [this](const revive_child& what) -> caf::result<child_state> { return on_revive(what.name); },
        [this](const start_group& what) { on_start_group(what.number); },
        [this](stop_children) -> caf::result<children_stopped> { return on_stop(); },
    };
  }

private:
  enum class phase {
    running,  ///< alive
    ending,   ///< told to end because a sibling failed
    waiting,  ///< starts again with its group
    parked,   ///< failed too often
    finished, ///< ended and not to be started again
  };
  struct child {
    child_spec spec;
    caf::actor actor;
    phase now = phase::waiting;
    restart_history history;
    std::shared_ptr<actor_card> card;
    std::uint64_t group = 0; ///< it waits with
  };

  caf::result<child_added> on_add(child_spec spec) {
    if (stopping_)
      return broker::to_caf({errc::stopping, options_.path + " is stopping"});
    if (find(spec.name))
      return broker::to_caf({errc::precondition_failed, options_.path + " has a child '" + spec.name + "' already"});
    const auto path = options_.path == "/" ? "/" + spec.name : options_.path + "/" + spec.name;
    auto card = node_.directory.enter(path, spec.kind, node_.clock.now());
    children_.push_back(std::make_unique<child>(child{std::move(spec), {}, phase::waiting, {}, std::move(card), 0}));
    if (auto started = start(*children_.back()); !started) {
      children_.pop_back();
      return broker::to_caf(started.error());
    }
    return child_added{};
  }

  caf::result<child_state> on_inspect(const std::string& name) {
    const auto* who = find(name);
    if (!who)
      return broker::to_caf({errc::not_found, options_.path + " has no child '" + name + "'"});
    return state_of(*who);
  }

  caf::result<child_state> on_revive(const std::string& name) {
    auto* who = find(name);
    if (!who)
      return broker::to_caf({errc::not_found, options_.path + " has no child '" + name + "'"});
    if (who->now == phase::parked) {
      who->history.clear();
      if (auto started = start(*who); !started)
        return broker::to_caf(started.error());
    }
    return state_of(*who);
  }

  static child_state state_of(const child& who) {
    return {who.actor, who.now == phase::parked, who.card->restarts.load(std::memory_order_relaxed)};
  }

  expected<void> start(child& who) {
    auto made = who.spec.start();
    if (!made)
      return made.error();
    who.actor = std::move(*made);
    who.now = phase::running;
    monitor(who.actor);
    return {};
  }

  void on_down(const caf::down_msg& down) {
    const auto found = std::find_if(children_.begin(), children_.end(),
                                    [&](const auto& who) { return who->actor && who->actor.address() == down.source; });
    if (found == children_.end())
      return;
    auto& who = **found;
    who.actor = nullptr;
    if (stopping_) {
      who.now = phase::finished;
      return stop_next();
    }
    if (who.now == phase::ending) {
      who.now = phase::waiting;
      return try_group(who.group);
    }
    on_exit(static_cast<std::size_t>(found - children_.begin()), down.reason);
  }

  /// A child ended, or could not be started.
  void on_exit(std::size_t index, const caf::error& reason) {
    auto& who = *children_[index];
    const auto decision =
        who.history.on_exit(who.spec.restart, is_failure(reason), options_.limits, node_.clock.now(), random_bits());
    switch (decision.what) {
    case after_exit::forget:
      who.now = phase::finished;
      break;
    case after_exit::park:
      park(index, reason);
      break;
    case after_exit::restart:
      log::warning("actor_ended", {{"actor", who.card->path},
                                   {"reason", broker::from_caf(reason).what},
                                   {"restart_ms", decision.wait.count()}});
      restart_group(index, decision.wait);
      break;
    }
  }

  void park(std::size_t index, const caf::error& reason) {
    auto& who = *children_[index];
    who.now = phase::parked;
    node_.metrics.parked.Add({{"kind", who.spec.kind}}).Increment();
    log::failure("actor_parked", {{"actor", who.card->path}, {"reason", broker::from_caf(reason).what}});
  }

  void restart_group(std::size_t index, milliseconds wait) {
    const auto range = restarted_with(options_.strategy, index, children_.size());
    const auto group = ++groups_;
    for (auto at = range.first; at <= range.last; ++at) {
      auto& who = *children_[at];
      if (at != index && who.now != phase::running && who.now != phase::ending && who.now != phase::waiting)
        continue; // parked and finished ones stay so
      who.group = group;
      if (who.actor) {
        who.now = phase::ending;
        send_exit(who.actor, caf::exit_reason::user_shutdown);
      } else {
        who.now = phase::waiting;
      }
    }
    delayed_send<caf::message_priority::high>(this, wait, start_group{group});
  }

  void on_start_group(std::uint64_t group) {
    due_.push_back(group);
    try_group(group);
  }

  /// Starts the group once its time has come and all of it has ended.
  void try_group(std::uint64_t group) {
    const auto due = std::find(due_.begin(), due_.end(), group);
    const auto still_ending = [group](const auto& who) { return who->group == group && who->now == phase::ending; };
    if (stopping_ || due == due_.end() || std::any_of(children_.begin(), children_.end(), still_ending))
      return;
    due_.erase(due);
    for (std::size_t index = 0; index < children_.size(); ++index)
      if (children_[index]->group == group && children_[index]->now == phase::waiting)
        restart(index);
  }

  void restart(std::size_t index) {
    auto& who = *children_[index];
    who.card->restarts.fetch_add(1, std::memory_order_relaxed);
    node_.metrics.restarts.Add({{"kind", who.spec.kind}}).Increment();
    if (auto started = start(who); !started)
      on_exit(index, broker::to_caf(started.error()));
  }

  caf::result<children_stopped> on_stop() {
    auto promise = make_response_promise<children_stopped>();
    stop_promises_.push_back(promise);
    begin_stop();
    return promise;
  }

  void begin_stop() {
    if (stopping_)
      return;
    stopping_ = true;
    stop_next();
  }

  /// The last child that lives is told to end; its down message comes back here.
  void stop_next() {
    const auto last =
        std::find_if(children_.rbegin(), children_.rend(), [](const auto& who) { return who->actor != nullptr; });
    if (last != children_.rend())
      return send_exit((*last)->actor, caf::exit_reason::user_shutdown);
    for (auto& promise : stop_promises_)
      promise.deliver(children_stopped{});
    quit(exit_reason_);
  }

  child* find(const std::string& name) {
    for (auto& who : children_)
      if (who->spec.name == name)
        return who.get();
    return nullptr;
  }

  node_context& node_;
  supervisor_options options_;
  std::vector<std::unique_ptr<child>> children_; ///< in start order
  std::vector<std::uint64_t> due_;               ///< groups whose wait is over
  std::uint64_t groups_ = 0;
  bool stopping_ = false;
  caf::error exit_reason_ = caf::exit_reason::user_shutdown;
  std::vector<caf::typed_response_promise<children_stopped>> stop_promises_;
};

} // namespace

caf::actor spawn_supervisor(node_context& node, supervisor_options options) {
  return node.system.spawn<supervisor>(node, std::move(options));
}

} // namespace switchboard::runtime
