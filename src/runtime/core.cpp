// Map of this file: what a node holds -- starting it, step by step -- stopping it, phase by phase.
#include "runtime/core.hpp"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <set>
#include <thread>

#include <caf/actor_system_config.hpp>
#include <caf/after.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include "broker/errors.hpp"
#include "messages/service_names.hpp"
#include "runtime/actor_threads.hpp"
#include "runtime/alarm_monitor.hpp"
#include "runtime/consumer_actor.hpp"
#include "runtime/entity_commit.hpp"
#include "runtime/housekeeper.hpp"
#include "runtime/log.hpp"
#include "runtime/passivator.hpp"
#include "runtime/rpc_client.hpp"
#include "runtime/service.hpp"
#include "runtime/store_log.hpp"
#include "runtime/subscriber.hpp"
#include "runtime/subscription_gate.hpp"
#include "runtime/supervisor.hpp"
#include "runtime/watchdog.hpp"

namespace switchboard::runtime {

namespace {

using steady = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto start_timeout = 30s;
constexpr std::size_t letter_queues_max = 200; // that have a metric of their own
/// Messages one actor may handle before others get its worker: with two workers and two busy actors everybody else
/// waits for about so many decisions. CAF's own default is no limit.
constexpr std::size_t actor_throughput = 20;

caf::actor_system_config& configured(caf::actor_system_config& config, const core_options& options) {
  // Set here and nowhere else: CAF's own files and command line drop wrong values in silence.
  config.set("scheduler.policy", caf::atom("sharing"));
  config.set("scheduler.max-threads", options.worker_threads
                                          ? options.worker_threads
                                          : std::max<std::size_t>(std::thread::hardware_concurrency(), 1));
  config.set("scheduler.max-throughput", actor_throughput);
  config.add_thread_hook<actor_thread_hook>();
  return config;
}

/// Asks an actor and waits. For threads that are not actors.
template <class Response, class Request>
expected<Response> ask(caf::actor_system& system, const caf::actor& whom, Request what,
                       std::chrono::milliseconds most = start_timeout) {
  caf::scoped_actor self{system};
  expected<Response> result{errc::timed_out, "no answer in time"};
  self->request(whom, most, std::move(what))
      .receive([&](Response& answer) { result = std::move(answer); },
               [&](const caf::error& why) { result = broker::from_caf(why); });
  return result;
}

class node_core final : public core {
public:
  explicit node_core(core_options options)
      : options_(std::move(options)), clock_(options_.clock ? options_.clock : std::make_shared<system_clock>()),
        watchdog_(options_.handler_max, metrics_),
        system_(std::make_unique<caf::actor_system>(configured(config_, options_))),
        alarms_(std::make_shared<broker::alarms>(options_.limits.memory_bytes_max)) {
    // Ended in our own order, with a bound on every wait; CAF would wait for ever.
    system_->await_actors_before_shutdown(false);
  }

  ~node_core() override {
    if (context_ && !*stopped_)
      shutdown({}, 2s);
    if (plugins_)
      plugins_->close();
    alarm_monitor_.reset();
    if (io_)
      io_->stop();
    root_ = rpc_ = nullptr;
    consumers_.clear();
    if (hosts_ && hosts_->alive() > 0)
      static_cast<void>((plugins_.release(),
                         hosts_.release())); // an entity hangs and still refers to them: a leak is better than a crash
    // What is pinned to a thread may be let go until the system is gone, so the threads' objects go last.
    system_.reset();
    plugins_.reset();
    hosts_.reset();
    context_.reset();
    vhosts_.reset();
    io_.reset();
  }

  // -- starting it --------------------------------------------------------------------------------------------------

  expected<void> start() {
    for (auto step : {&node_core::open_store, &node_core::start_broker, &node_core::load_plugins,
                      &node_core::declare_event_exchanges, &node_core::restore_timers, &node_core::resend_outbox,
                      &node_core::start_actors})
      if (auto done = (this->*step)(); !done)
        return done;
    return {};
  }

  node_context& node() noexcept override { return *context_; }
  store::environment& store() noexcept override { return *store_; }
  entity_hosts& entities() noexcept override { return *hosts_; }
  caf::actor rpc() noexcept override { return rpc_; }
  caf::actor supervisor() noexcept override { return root_; }
  runtime::plugins& plugins() noexcept override { return *plugins_; }

  // -- stopping it --------------------------------------------------------------------------------------------------

  std::vector<phase_report> shutdown(const std::vector<bridge*>& bridges, milliseconds most) override {
    *stopped_ = true;
    context_->draining = true;
    // Finishing what was begun gets the largest share; each phase ends early if it can.
    const auto share = [most](int percent) { return std::max(most * percent / 100, milliseconds{100}); };
    return run_phases(
        {{"drain bridges", share(5), "/",
          [&](milliseconds) {
            for (auto* bridge : bridges)
              bridge->drain();
            return true;
          }},
         {"finish work", share(50), "/entities", [&](milliseconds time) { return finish_work(time); }},
         {"stop services", share(10), "/services", [&](milliseconds time) { return stop_supervisors(time); }},
         {"stop entities", share(10), "/entities", [&](milliseconds time) { return stop_entities(time); }},
         {"stop sessions", share(15), "/",
          [&](milliseconds time) {
            for (auto* bridge : bridges)
              bridge->stop(time / static_cast<milliseconds::rep>(bridges.size()));
            return true;
          }},
         {"stop broker", share(5), "/queues", [&](milliseconds time) { return stop_broker(time); }},
         {"flush store", share(5), "/store", [&](milliseconds) { return !store_ || store_->flush().has_value(); }},
         {"stop io", share(5), "/",
          [&](milliseconds) {
            io_->stop();
            return true;
          }}},
        directory_);
  }

private:
  expected<void> open_store() {
    store::options how;
    how.directory = options_.data_dir;
    how.map_bytes_max = options_.store_bytes_max;
    how.log_bytes_max = options_.store_log_bytes_max;
    how.sync = options_.store_sync;
    how.on_damage = [](const error& why) { log::failure("store_log_damaged", {{"reason", why.what}}); };
    how.on_tables_damaged = [](const error& why) { log::failure("store_damaged", {{"reason", why.what}}); };
    how.on_log_cut = [](const error& why) { log::warning("store_log_cut", {{"reason", why.what}}); };
    how.on_failure = [tell = options_.on_failure](const error& why) {
      log::failure("store_failed", {{"reason", why.what}});
      if (tell)
        tell(why);
    };
    auto opened = store::environment::open(std::move(how));
    if (!opened)
      return opened.error();
    store_ = std::move(*opened);
    return {};
  }

  expected<void> start_broker() {
    io_ = std::make_unique<io_threads>(*system_, options_.io_threads);
    auto started =
        broker::virtual_hosts::start(*system_, io_->units(), make_store_log(store_, alarms_), options_.limits);
    if (!started)
      return started.error();
    vhosts_ = std::move(*started);
    context_.reset(new node_context{*system_, *io_, *clock_, vhosts_->standard(), metrics_, directory_,
                                    options_.node_name, vhosts_.get()});
    vhosts_->each_started([this](const broker::broker_ptr& each) {
      for (const auto& queue : each->damaged_queues())
        log::failure("queue_damaged", {{"vhost", each->vhost()},
                                       {"queue", queue},
                                       {"reason", "stored messages that cannot be read were left out"}});
      need(each->topology(), "the topology of vhost " + each->vhost());
    });
    context_->alarms = alarms_;
    alarm_monitor_ = std::make_unique<alarm_monitor>(
        *context_, store_,
        alarm_monitor::settings{options_.data_dir, options_.disk_free_min, options_.store_log_bytes_max});
    watch_store();
    watch_alarms();
    watch_actors();
    return {};
  }

  expected<void> load_plugins() {
    auto limits = options_.entities;
    limits.journal_window = options_.journal_window;
    hosts_ = std::make_unique<entity_hosts>(*context_, store_, limits);
    plugin_options how;
    how.folder = options_.plugins_dir;
    how.more_folders = options_.plugin_folders;
    how.copies = (std::filesystem::path{options_.data_dir} / "plugins").string();
    how.settings = options_.plugin_settings;
    how.failures_max = options_.upgrade_failures_max;
    how.trial = options_.plugin_trial;
    plugins_ = std::make_unique<runtime::plugins>(*hosts_, std::move(how), [this] { return follow_types(); });
    auto& refused = metrics_.gauge("switchboard_plugins_refused", "Plugins that were not loaded at start.").Add({});
    std::vector<std::string> paths;
    for (const auto& name : options_.plugins) {
      auto path = std::filesystem::path{options_.plugins_dir} / plugin_file(name);
      // A name of nothing is a mistake in the configuration; a plugin that is broken must not take the others along.
      if (!std::filesystem::exists(path))
        return {errc::not_found, "plugin " + path.string() + ": there is no such file"};
      paths.push_back(path.string());
    }
    const auto tried = try_plugins(options_.plugin_trial, paths);
    for (std::size_t index = 0; index < paths.size(); ++index) {
      auto added = tried[index] ? plugins_->start(paths[index]) : tried[index];
      if (added)
        continue;
      refused.Increment();
      log::failure("plugin_refused", {{"plugin", options_.plugins[index]}, {"reason", added.error().what}});
    }
    return {};
  }

  expected<void> restore_timers() {
    auto& table = hosts_->timers().table();
    std::size_t count = 0;
    auto read = store_->each_timer([&](store::timer_record&& record) {
      table.arm({std::move(record.type), std::move(record.id), std::move(record.name), std::move(record.payload),
                 record.due, table.next_token()});
      return ++count, true;
    });
    if (count > 0)
      log::info("timers_restored", {{"count", count}});
    return tolerate_corrupt(read);
  }

  /// Before anything decides, so that no event finds none.
  expected<void> declare_event_exchanges() {
    context_->served.read(hosts_->types());
    for (const auto& exchange : context_->served.event_exchanges())
      if (auto declared = declare_events(exchange); !declared)
        return declared;
    return {};
  }

  /// One share longer than what is promised: see base_shares.
  milliseconds kept_journal() const { return options_.journal_window + options_.journal_window / base_shares; }

  /// Everything that consumes, and what wakes it.
  expected<void> start_actors() {
    root_ = spawn_supervisor(*context_, {"/", {}, {}});
    if (auto added = add_to(root_, {"timers", "timers", restart_policy::permanent,
                                    [this] { return expected<caf::actor>{hosts_->timers().spawn()}; }});
        !added)
      return added;
    if (auto added = start_consumers(); !added)
      return added;
    rpc_ = spawn_rpc_client(*context_);
    need(rpc_, "the RPC client");
    if (auto added = add_to(root_, {"passivator", "passivator", restart_policy::permanent,
                                    [this] { return expected<caf::actor>{spawn_passivator(*hosts_)}; }});
        !added)
      return added;
    return add_to(root_, {"housekeeper", "housekeeper", restart_policy::permanent, [this] {
                            return expected<caf::actor>{spawn_housekeeper(*context_, store_, kept_journal())};
                          }});
  }

  expected<void> declare_events(const std::string& exchange) {
    broker::declare_exchange what;
    what.spec.name = exchange;
    what.spec.type = "fanout";
    what.spec.durable = true;
    auto declared = ask<broker::exchange_ok>(*system_, context_->broker->topology(), std::move(what));
    if (!declared)
      return {declared.error().code, "exchange " + exchange + ": " + declared.error().what};
    return {};
  }

  expected<void> start_consumers() {
    for (const auto* group : {"services", "subscribers"})
      if (auto added = add_supervisor(group); !added)
        return added.error();
    return add_consumers();
  }

  /// A service for each name the hosted types know and a subscriber for each of them, where there is none yet.
  expected<void> add_consumers() {
    for (const auto& name : services_of(*hosts_))
      if (auto added = add_consumer("services", name, "service", [this, name] { return spawn_service(*hosts_, name); });
          !added)
        return added;
    for (const auto* type : hosts_->types().all())
      if (auto added = add_consumer("subscribers", type->name(), "subscriber",
                                    [this, type, gate = make_subscription_gate(*hosts_, *type)] {
                                      return spawn_subscriber(*hosts_, *type, gate);
                                    });
          !added)
        return added;
    for (const auto& consumer : consumers())
      if (auto ready = ask<consuming>(*system_, consumer, await_consuming{}); !ready)
        return {ready.error().code, "a service does not get its queue: " + ready.error().what};
    return {};
  }

  /// Other versions of plugins serve than before. On a thread that may wait.
  expected<void> follow_types() {
    if (auto declared = declare_event_exchanges(); !declared)
      return declared;
    for (const auto& consumer : consumers())
      if (auto taken = ask<types_taken>(*system_, consumer, take_types{}); !taken)
        return {taken.error().code, "a service does not follow: " + taken.error().what};
    for (const auto& feed : context_->served.followers())
      if (auto taken = ask<types_taken>(*system_, feed, take_types{}); !taken)
        log::warning("event_feed_behind", {{"reason", taken.error().what}}); // screens wait, calls don't
    return add_consumers();
  }

  expected<void> add_supervisor(const std::string& name) {
    const auto path = "/" + name;
    return add_to(root_, {name, "supervisor", restart_policy::permanent, [this, path] {
                            return expected<caf::actor>{spawn_supervisor(*context_, {path, {}, {}})};
                          }});
  }

  expected<void> add_consumer(const std::string& supervisor, const std::string& name, const std::string& kind,
                              std::function<caf::actor()> spawn) {
    {
      const std::lock_guard hold{mutex_};
      if (consumers_.contains(kind + "/" + name))
        return {};
    }
    auto above = ask<child_state>(*system_, root_, inspect_child{supervisor});
    if (!above)
      return above.error();
    auto start = [this, spawn = std::move(spawn), key = kind + "/" + name] {
      auto made = spawn();
      const std::lock_guard hold{mutex_};
      consumers_[key] = made; // a restarted one takes the place of the old
      return expected<caf::actor>{made};
    };
    return add_to(above->actor, {name, kind, restart_policy::permanent, std::move(start)});
  }

  expected<void> add_to(const caf::actor& supervisor, child_spec spec) {
    const auto name = spec.name;
    if (auto added = ask<child_added>(*system_, supervisor, add_child{std::move(spec)}); !added)
      return {added.error().code, name + ": " + added.error().what};
    return {};
  }

  /// What entities had to tell others when the node stopped. After the timers are in their table, where an entity looks
  /// once; before they fire and consumers start; and read whole before the first is told: what this run puts into the
  /// outbox is told by who put it there.
  expected<void> resend_outbox() {
    std::vector<store::outbox_record> left;
    auto read = store_->each_outbox([&](store::outbox_record&& record) {
      left.push_back(std::move(record));
      return true;
    });
    for (const auto& record : left) {
      auto message = decode_outbox(record);
      if (!message)
        log::failure("outbox_unreadable", {{"number", record.number}, {"reason", message.error().what}});
      else if (!hosts_->tell(message->type, message->id, message->work))
        log::warning("message_kept", {{"to_type", message->type}, {"name", message->work->what.name}});
    }
    if (!left.empty())
      log::info("outbox_resent", {{"count", left.size()}});
    return tolerate_corrupt(read);
  }

  /// The intact records were read; the damaged ones are counted and must not keep the node down.
  static expected<void> tolerate_corrupt(const expected<void>& read) {
    if (read || read.error().code != errc::corrupt)
      return read;
    log::failure("store_damaged", {{"reason", read.error().what}});
    return {};
  }

  /// No supervisor can start it again under those who hold it: if it dies, the node does.
  void need(const caf::actor& whom, std::string name) {
    whom->attach_functor(
        [stopped = stopped_, tell = options_.on_failure, name = std::move(name)](const caf::error& why) {
          // Nobody holds it any more: its vhost was deleted.
          if (*stopped || why == caf::exit_reason::unreachable)
            return;
          const error cause{errc::internal, name + " has ended: " + to_string(why)};
          log::failure("actor_lost", {{"cause", cause.what}});
          if (tell)
            tell(cause);
        });
  }

  void watch_store() {
    auto& used = metrics_.gauge("switchboard_store_bytes_used", "Bytes of the store's file in use.").Add({});
    auto& most = metrics_.gauge("switchboard_store_bytes_max", "Bytes the store's file may grow to.").Add({});
    auto& waiting = metrics_.gauge("switchboard_store_bytes_waiting", "Bytes submitted and not yet durable.").Add({});
    auto& resident = metrics_.gauge("switchboard_messages_resident_bytes", "Bytes of all messages in memory.").Add({});
    auto& letters = metrics_.gauge("switchboard_dead_letters", "Messages in queues for dead letters.");
    metrics_.on_collect([this, &letters, known = std::map<std::string, prometheus::Gauge*>{}](metrics&) mutable {
      std::map<std::string, std::uint64_t> now;
      for (const auto& each : vhosts_->all())
        for (const auto& [queue, count] : each->dead_letters())
          now[known.size() < letter_queues_max || known.contains(queue) ? queue : "others"] += count;
      for (auto& [queue, gauge] : known) // one that is empty now is zero, not gone
        gauge->Set(0);
      for (const auto& [queue, count] : now) {
        auto& gauge = known[queue];
        if (!gauge)
          gauge = &letters.Add({{"queue", queue}});
        gauge->Set(static_cast<double>(count));
      }
    });
    metrics_.on_collect([store = store_, &used, &most, &waiting, &resident](metrics&) {
      const auto now = store->stats();
      used.Set(static_cast<double>(now.map_bytes_used));
      most.Set(static_cast<double>(now.map_bytes_max));
      waiting.Set(static_cast<double>(now.waiting_bytes));
      resident.Set(static_cast<double>(message::resident_bytes()));
    });
  }

  void watch_alarms() {
    auto& raised = metrics_.gauge("switchboard_alarm", "1 while the alarm is raised: publishers wait.");
    auto& free =
        metrics_.gauge("switchboard_disk_free_bytes", "Free bytes of the data directory's file system.").Add({});
    auto& least =
        metrics_.gauge("switchboard_disk_free_min_bytes", "Below that many free bytes the disk alarm is raised.")
            .Add({});
    auto& ready = metrics_.gauge("switchboard_ready", "1 while the node takes new work, as /readyz says.").Add({});
    metrics_.on_collect([this, alarms = alarms_, &raised, &free, &least, &ready](metrics&) {
      ready.Set(context_->not_ready() ? 0 : 1);
      const auto now = alarms->known();
      for (const auto which : broker::all_alarms)
        raised.Add({{"alarm", std::string{broker::name(which)}}}).Set(now.has(which) ? 1 : 0);
      free.Set(static_cast<double>(alarms->disk_free));
      least.Set(static_cast<double>(alarms->disk_free_min));
    });
  }

  void watch_actors() {
    auto& actors = metrics_.gauge("switchboard_actors", "Live actors of the directory.");
    auto& mailboxes = metrics_.gauge("switchboard_mailbox_messages", "Messages waiting in bounded mailboxes.");
    metrics_.on_collect([this, &actors, &mailboxes, known = std::set<std::string>{}](metrics&) mutable {
      auto totals = directory_.totals();
      for (const auto& [kind, sum] : totals)
        known.insert(kind);
      for (const auto& kind : known) { // a kind without actors is zero, not gone
        actors.Add({{"kind", kind}}).Set(static_cast<double>(totals[kind].actors));
        mailboxes.Add({{"kind", kind}}).Set(static_cast<double>(totals[kind].mailbox));
      }
    });
  }

  std::vector<caf::actor> consumers() {
    const std::lock_guard hold{mutex_};
    std::vector<caf::actor> all;
    for (const auto& [key, actor] : consumers_)
      all.push_back(actor);
    return all;
  }

  /// Services and subscribers take nothing more; what they and the entities hold is done.
  bool finish_work(milliseconds most) {
    const auto until = steady::now() + most;
    const auto left = [until] { return std::max(until - steady::now(), steady::duration{1ms}); };
    if (!hosts_)
      return true;
    // All of them first: what is given back must not be handed out again ahead of what is still to be given back.
    caf::scoped_actor self{*system_};
    const auto drain = [&](const caf::actor& consumer) {
      return self->request<caf::message_priority::high>(consumer, std::chrono::ceil<milliseconds>(left()),
                                                        drain_consumer{});
    };
    std::vector<decltype(drain(caf::actor{}))> answers;
    for (const auto& consumer : consumers())
      answers.push_back(drain(consumer));
    hosts_->give_back();
    bool done = true;
    for (auto& answer : answers)
      answer.receive([](drained) {}, [&](const caf::error&) { done = false; });
    return wait_until([this] { return hosts_->busy() == 0; }, until) && done;
  }

  bool stop_supervisors(milliseconds most) {
    const auto done = !root_ || ask<children_stopped>(*system_, root_, stop_children{}, most);
    caf::anon_send_exit(rpc_, caf::exit_reason::user_shutdown);
    return done;
  }

  bool stop_entities(milliseconds most) {
    if (!hosts_)
      return true;
    hosts_->close();
    return wait_until([this] { return hosts_->alive() == 0; }, steady::now() + most);
  }

  /// Topology actors take their queues along.
  bool stop_broker(milliseconds most) {
    caf::scoped_actor self{*system_};
    const auto all = vhosts_->all();
    for (const auto& each : all) {
      self->monitor(each->topology());
      caf::anon_send_exit(each->topology(), caf::exit_reason::user_shutdown);
    }
    const auto until = steady::now() + most;
    for (std::size_t ended = 0; ended < all.size(); ++ended) {
      bool in_time = true;
      const auto left = std::max(until - steady::now(), steady::duration{0});
      self->receive([](const caf::down_msg&) {}, caf::after(left) >> [&] { in_time = false; });
      if (!in_time)
        return false;
    }
    return true;
  }

  /// Shutdown has nothing to be woken by: a counter of other threads reaches zero.
  template <class Condition>
  static bool wait_until(Condition&& reached, steady::time_point until) {
    while (!reached()) {
      if (steady::now() >= until)
        return false;
      std::this_thread::sleep_for(1ms);
    }
    return true;
  }

  core_options options_;
  std::shared_ptr<switchboard::clock> clock_;
  directory directory_;
  metrics metrics_;
  watchdog watchdog_;
  std::shared_ptr<store::environment> store_;
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  const std::shared_ptr<broker::alarms> alarms_;
  std::unique_ptr<io_threads> io_;
  std::unique_ptr<broker::virtual_hosts> vhosts_;
  std::unique_ptr<node_context> context_;
  std::unique_ptr<alarm_monitor> alarm_monitor_;
  std::unique_ptr<entity_hosts> hosts_;
  std::unique_ptr<runtime::plugins> plugins_;
  std::mutex mutex_;
  std::map<std::string, caf::actor> consumers_; ///< under mutex_; by kind and name
  caf::actor root_, rpc_;
  /// Shared with those who are called when an actor ends, perhaps after all this.
  std::shared_ptr<std::atomic<bool>> stopped_ = std::make_shared<std::atomic<bool>>(false);
};

} // namespace

expected<std::unique_ptr<core>> core::start(core_options options) {
  auto made = std::make_unique<node_core>(std::move(options));
  if (auto started = made->start(); !started)
    return started.error();
  return std::unique_ptr<core>{std::move(made)};
}

} // namespace switchboard::runtime
