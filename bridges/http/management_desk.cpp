// The map of this file: the actor and its ways to ask others; overview and nodes; connections; exchanges, queues,
// bindings; publish and get; users, vhosts, permissions, limits; policies; definitions.
#include "bridges/http/management_desk.hpp"

#include <algorithm>
#include <deque>
#include <map>

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include "bridges/http/management_definitions.hpp"
#include "broker/amqp_reply.hpp"
#include "broker/base64.hpp"
#include "broker/errors.hpp"
#include "broker/publisher.hpp"
#include "runtime/bearer_token.hpp"

namespace switchboard::http {

/// From the log's thread: what publish `token` wrote is on disk.
struct management_stored {
  std::uint64_t token = 0;
};

} // namespace switchboard::http

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::http::management_stored)

namespace switchboard::http {

namespace {

using broker::action;
using broker::broker_ptr;
using broker::policy_kind;

constexpr std::string_view rabbitmq_version = "3.10.8";
constexpr std::size_t get_messages_max = 10'000;

/// The topology of some vhosts at one moment, each queue with its counts.
struct vhost_listing {
  std::string vhost;
  broker::topology_listing all;
  std::vector<broker::queue_status> statuses; ///< of all.queues, if asked for
};
using listings = std::vector<vhost_listing>;
using listings_ptr = std::shared_ptr<listings>;

/// An open connection and what its channels hold.
struct described {
  std::shared_ptr<runtime::connection_card> card;
  runtime::connection_report report;
};
using described_ptr = std::shared_ptr<std::vector<described>>;

/// "amq.default" is how paths name the default exchange.
std::string exchange_name(const std::string& in_path) { return in_path == "amq.default" ? std::string{} : in_path; }

class management_desk final : public caf::event_based_actor {
public:
  management_desk(caf::actor_config& config, runtime::node_context& node)
      : caf::event_based_actor(config), node_(node),
        card_(node.directory.enter("/http/management", "management", node.clock.now())) {}

  caf::behavior make_behavior() override {
    return {
        [this](const management_ask& asked) {
          ++card_->handled;
          try {
            route(asked.call);
          } catch (const ordered_json::exception& trouble) {
            // "[json.exception.type_error.302] type must be …": of a body that isn't what its path wants
            const std::string_view text = trouble.what();
            asked.call->bad("a field is missing or of the wrong type: " +
                            std::string{text.substr(text.find("] ") + 2)});
          } catch (const std::exception& trouble) {
            asked.call->bad(trouble.what());
          }
        },
        [this](const broker::enqueued& what) { published_step(what.token); },
        [this](const management_stored& what) { published_step(what.token); },
        [](const broker::consumer_cancelled&) {},
        [](const broker::deliver&) {},
    };
  }

  void on_exit() override { card_.reset(); }

private:
  // -- asking others ------------------------------------------------------------------------------------------------

  /// Calls `then` with the topology of those vhosts; with the counts of the queues of which `counted` is true.
  template <class Then>
  void list(std::vector<broker_ptr> which, std::function<bool(const broker::queue_spec&)> counted, Then then) {
    struct gathering {
      listings_ptr found = std::make_shared<listings>();
      std::size_t open = 1;
      std::function<void(listings_ptr)> then;
      void step() {
        if (--open == 0)
          then(std::move(found));
      }
    };
    auto state = std::make_shared<gathering>();
    state->then = std::move(then);
    state->found->resize(which.size());
    for (std::size_t at = 0; at < which.size(); ++at) {
      (*state->found)[at].vhost = which[at]->vhost();
      ++state->open;
      request(which[at]->topology(), caf::infinite, broker::list_topology{})
          .then(
              [this, state, at, counted](broker::topology_listing& all) {
                auto& mine = (*state->found)[at];
                mine.all = std::move(all);
                mine.statuses.resize(mine.all.queues.size());
                for (std::size_t each = 0; each < mine.all.queues.size(); ++each) {
                  if (!counted || !counted(mine.all.queues[each].spec))
                    continue;
                  ++state->open;
                  request(mine.all.queues[each].handle->actor, caf::infinite, broker::inspect_queue{})
                      .then(
                          [state, at, each](const broker::queue_status& now) {
                            (*state->found)[at].statuses[each] = now;
                            state->step();
                          },
                          [state](const caf::error&) { state->step(); });
                }
                state->step();
              },
              [state](const caf::error&) { state->step(); });
    }
    state->step();
  }

  /// Every open connection that the caller may see, with its channels.
  template <class Then>
  void describe(const call_ptr& call, Then then) {
    struct gathering {
      described_ptr found = std::make_shared<std::vector<described>>();
      std::size_t open = 1;
      std::function<void(described_ptr)> then;
      void step() {
        if (--open == 0)
          then(std::move(found));
      }
    };
    auto state = std::make_shared<gathering>();
    state->then = std::move(then);
    for (auto& card : node_.connections.list())
      if (call->monitors() || card->facts.user == call->user)
        state->found->push_back({std::move(card), {}});
    for (std::size_t at = 0; at < state->found->size(); ++at) {
      const auto session = caf::actor_cast<caf::actor>((*state->found)[at].card->session);
      if (!session)
        continue;
      ++state->open;
      request(session, caf::infinite, runtime::describe_connection{})
          .then(
              [state, at](runtime::connection_report& report) {
                (*state->found)[at].report = std::move(report);
                state->step();
              },
              [state](const caf::error&) { state->step(); });
    }
    state->step();
  }

  /// Asks a topology and answers the call: `status` if it succeeds.
  template <class Answer, class Question>
  void tell(const call_ptr& call, const broker_ptr& where, Question question, int status) {
    request(where->topology(), caf::infinite, std::move(question))
        .then([call, status](const Answer&) { call->empty(status); },
              [call](const caf::error& why) { call->fail(broker::from_caf(why)); });
  }

  /// Changes the access rules and answers once they are on disk.
  void change(const call_ptr& call, int status,
              const std::function<expected<broker::record_changes>(broker::access_rules&)>& edit) {
    const auto done = node_.vhosts->access().change(edit, [call, status] { call->empty(status); });
    if (!done)
      call->fail(done.error());
  }

  std::vector<broker_ptr> seen_by(const call_ptr& call) const {
    std::vector<broker_ptr> all;
    for (auto& each : node_.vhosts->all())
      if (call->sees(each->vhost()))
        all.push_back(std::move(each));
    return all;
  }

  /// The vhost a path names, if the caller may work in it; answers otherwise.
  broker_ptr enter(const call_ptr& call, const std::string& vhost) const {
    auto found = node_.vhosts->find(vhost);
    if (!found)
      call->not_found();
    else if (!call->sees(vhost))
      call->refused("User not authorised to access virtual host");
    else
      return found;
    return nullptr;
  }

  // -- what a path means --------------------------------------------------------------------------------------------

  void route(const call_ptr& call) {
    using handler = void (management_desk::*)(const call_ptr&);
    static const std::map<std::string_view, handler> handlers = {
        {"overview", &management_desk::overview},
        {"whoami", &management_desk::whoami},
        {"nodes", &management_desk::nodes},
        {"cluster-name", &management_desk::cluster_name},
        {"extensions", &management_desk::nothing},
        {"global-parameters", &management_desk::nothing},
        {"parameters", &management_desk::nothing},
        {"health", &management_desk::health},
        {"healthchecks", &management_desk::health},
        {"aliveness-test", &management_desk::aliveness},
        {"definitions", &management_desk::definitions},
        {"connections", &management_desk::connections},
        {"channels", &management_desk::channels},
        {"consumers", &management_desk::consumers},
        {"exchanges", &management_desk::exchanges},
        {"queues", &management_desk::queues},
        {"bindings", &management_desk::bindings},
        {"vhosts", &management_desk::vhosts},
        {"users", &management_desk::users},
        {"permissions", &management_desk::permissions},
        {"topic-permissions", &management_desk::topic_permissions},
        {"policies", &management_desk::policies},
        {"operator-policies", &management_desk::policies},
        {"vhost-limits", &management_desk::limits},
        {"user-limits", &management_desk::limits},
    };
    const auto found = call->path.empty() ? handlers.end() : handlers.find(call->path[0]);
    if (found == handlers.end())
      return call->not_found();
    (this->*found->second)(call);
  }

  /// Lists of what there is none of here.
  void nothing(const call_ptr& call) {
    if (!call->is("GET"))
      return call->no_method();
    call->show(ordered_json::array());
  }

  // -- overview -----------------------------------------------------------------------------------------------------

  void overview(const call_ptr& call) {
    if (!call->is("GET"))
      return call->no_method();
    list(
        seen_by(call), [](const broker::queue_spec&) { return true; },
        [this, call](const listings_ptr& found) {
          describe(call, [this, call, found](const described_ptr& connections) {
            call->show(overview_of(*found, *connections));
          });
        });
  }

  ordered_json overview_of(const listings& found, const std::vector<described>& connections) const {
    std::size_t exchanges = 0, queues = 0, channels = 0, consumers = 0;
    std::uint64_t ready = 0, unacked = 0;
    for (const auto& each : found) {
      exchanges += each.all.exchanges.size();
      queues += each.all.queues.size();
      for (const auto& now : each.statuses) {
        ready += now.ready;
        unacked += now.unacked;
        consumers += now.consumers;
      }
    }
    for (const auto& each : connections)
      channels += each.report.channels.size();
    auto types = ordered_json::array();
    for (const auto* type : {"direct", "fanout", "headers", "topic", "x-consistent-hash", "x-delayed-message"})
      types.push_back({{"name", type}, {"description", ""}, {"enabled", true}});
    return {{"management_version", rabbitmq_version},
            {"rabbitmq_version", rabbitmq_version},
            {"product_name", "Switchboard"},
            {"product_version", rabbitmq_version},
            {"rates_mode", "none"},
            {"cluster_name", node_.node_name},
            {"node", node_.node_name},
            {"exchange_types", std::move(types)},
            {"message_stats", ordered_json::object()},
            {"queue_totals",
             {{"messages", ready + unacked}, {"messages_ready", ready}, {"messages_unacknowledged", unacked}}},
            {"object_totals",
             {{"connections", connections.size()},
              {"channels", channels},
              {"consumers", consumers},
              {"exchanges", exchanges},
              {"queues", queues}}},
            {"listeners", ordered_json::array()},
            {"contexts", ordered_json::array()}};
  }

  void whoami(const call_ptr& call) {
    if (!call->is("GET"))
      return call->no_method();
    const auto* who = call->rules->find_user(call->user);
    call->show({{"name", call->user}, {"tags", who ? who->tags : std::vector<std::string>{}}});
  }

  void nodes(const call_ptr& call) {
    if (!call->is("GET"))
      return call->no_method();
    const auto alarms = node_.alarms->raised();
    const ordered_json me{{"name", node_.node_name},
                          {"type", "disc"},
                          {"running", true},
                          {"mem_used", message::resident_bytes()},
                          {"mem_limit", node_.alarms->memory_bytes_max()},
                          {"mem_alarm", alarms.has(broker::alarm::memory)},
                          {"disk_free", node_.alarms->disk_free.load()},
                          {"disk_free_limit", node_.alarms->disk_free_min.load()},
                          {"disk_free_alarm", alarms.has(broker::alarm::disk)},
                          {"store_alarm", alarms.has(broker::alarm::store)},
                          {"partitions", ordered_json::array()}};
    if (call->path.size() == 1)
      return call->show(ordered_json::array({me}));
    return call->path.size() == 2 && call->path[1] == node_.node_name ? call->show(me) : call->not_found();
  }

  void cluster_name(const call_ptr& call) {
    if (!call->is("GET"))
      return call->no_method();
    call->show({{"name", node_.node_name}});
  }

  void health(const call_ptr& call) {
    if (!call->is("GET"))
      return call->no_method();
    const auto raised = node_.alarms->raised();
    if (!raised.any())
      return call->show({{"status", "ok"}});
    auto all = ordered_json::array();
    for (const auto which : broker::all_alarms)
      if (raised.has(which)) // RabbitMQ's name of the disk
        all.push_back({{"node", node_.node_name},
                       {"resource", which == broker::alarm::disk ? "disk space" : broker::name(which)}});
    call->answer(503, {{"status", "failed"}, {"reason", "There are alarms in effect in the cluster"}, {"alarms", all}});
  }

  void aliveness(const call_ptr& call) {
    if (!call->is("GET"))
      return call->no_method();
    if (call->path.size() != 2)
      return call->not_found();
    if (const auto where = enter(call, call->path[1]))
      list({where}, {}, [call](const listings_ptr&) { call->show({{"status", "ok"}}); });
  }

  // -- connections --------------------------------------------------------------------------------------------------

  void connections(const call_ptr& call) {
    const auto& path = call->path;
    if (path.size() == 1) {
      if (!call->is("GET"))
        return call->no_method();
      auto all = ordered_json::array();
      for (const auto& card : node_.connections.list())
        if (call->monitors() || card->facts.user == call->user)
          all.push_back(connection_to_json(*card, node_.node_name));
      return call->show(std::move(all));
    }
    const auto card = node_.connections.find(path[1]);
    if (!card || (!call->monitors() && card->facts.user != call->user))
      return call->not_found();
    if (path.size() == 3 && path[2] == "channels" && call->is("GET"))
      return show_channels(call, [name = path[1]](const runtime::connection_facts& in) { return in.name == name; });
    if (path.size() != 2)
      return call->not_found();
    if (call->is("GET"))
      return call->show(connection_to_json(*card, node_.node_name));
    if (!call->is("DELETE"))
      return call->no_method();
    if (!call->administers() && card->facts.user != call->user)
      return call->refused();
    const auto given = call->what.header("X-Reason");
    const std::string reason{given.empty() ? std::string_view{"Closed via management plugin"} : given};
    node_.connections.close_if([&](const runtime::connection_facts& each) { return each.name == card->facts.name; },
                               reason);
    call->empty(204);
  }

  void show_channels(const call_ptr& call, std::function<bool(const runtime::connection_facts&)> which) {
    describe(call, [this, call, which = std::move(which)](const described_ptr& found) {
      auto all = ordered_json::array();
      for (const auto& each : *found)
        if (which(each.card->facts))
          for (const auto& channel : each.report.channels)
            all.push_back(channel_to_json(channel, each.card->facts, node_.node_name));
      call->show(std::move(all));
    });
  }

  void channels(const call_ptr& call) {
    if (!call->is("GET"))
      return call->no_method();
    if (call->path.size() == 1)
      return show_channels(call, [](const runtime::connection_facts&) { return true; });
    if (call->path.size() != 2)
      return call->not_found();
    describe(call, [this, call](const described_ptr& found) {
      for (const auto& each : *found)
        for (const auto& channel : each.report.channels)
          if (auto json = channel_to_json(channel, each.card->facts, node_.node_name); json["name"] == call->path[1])
            return call->show(std::move(json));
      call->not_found();
    });
  }

  void consumers(const call_ptr& call) {
    if (!call->is("GET"))
      return call->no_method();
    describe(call, [this, call](const described_ptr& found) {
      auto all = ordered_json::array();
      for (const auto& each : *found)
        if (call->path.size() == 1 || each.card->facts.vhost == call->path[1])
          for (const auto& channel : each.report.channels)
            for (const auto& consumer : channel.consumers)
              all.push_back(consumer_to_json(consumer, channel, each.card->facts, node_.node_name));
      call->show(std::move(all));
    });
  }

  // -- exchanges ----------------------------------------------------------------------------------------------------

  void exchanges(const call_ptr& call) {
    const auto& path = call->path;
    if (path.size() <= 2) {
      if (!call->is("GET"))
        return call->no_method();
      auto which = seen_by(call);
      if (path.size() == 2) {
        const auto where = enter(call, path[1]);
        if (!where)
          return;
        which = {where};
      }
      return list(std::move(which), {}, [call](const listings_ptr& found) {
        auto all = ordered_json::array();
        for (const auto& each : *found)
          for (const auto& exchange : each.all.exchanges)
            all.push_back(exchange_to_json(exchange, each.vhost));
        call->show(std::move(all));
      });
    }
    const auto where = enter(call, path[1]);
    if (!where)
      return;
    const auto name = exchange_name(path[2]);
    if (path.size() == 3) {
      if (call->is("GET"))
        return list({where}, {}, [call, name](const listings_ptr& found) {
          for (const auto& each : (*found)[0].all.exchanges)
            if (each.spec.name == name)
              return call->show(exchange_to_json(each, (*found)[0].vhost));
          call->not_found();
        });
      if (call->is("PUT"))
        return declare_exchange(call, where, name);
      if (!call->is("DELETE"))
        return call->no_method();
      if (!call->may(action::configure, where->vhost(), name))
        return call->refused();
      if (!where->routes()->has_exchange(name))
        return call->not_found();
      const bool if_unused = runtime::query_parameter(call->what.target, "if-unused") == "true";
      return tell<broker::exchange_ok>(call, where, broker::delete_exchange{name, if_unused}, 204);
    }
    if (path.size() == 4 && path[3] == "publish" && call->is("POST"))
      return publish(call, where, name);
    if (path.size() == 5 && path[3] == "bindings" && call->is("GET"))
      return show_bindings(call, where, [name, from = path[4] == "source"](const broker::binding_spec& each) {
        return from ? each.source == name : each.to_exchange && each.destination == name;
      });
    call->not_found();
  }

  void declare_exchange(const call_ptr& call, const broker_ptr& where, const std::string& name) {
    ordered_json body;
    if (!call->read(body))
      return;
    auto what = exchange_from_json(body, name);
    if (!what)
      return call->bad(what.error().what);
    if (!call->may(action::configure, where->vhost(), name))
      return call->refused();
    const int status = where->routes()->has_exchange(name) ? 204 : 201;
    tell<broker::exchange_ok>(call, where, broker::declare_exchange{*std::move(what), false}, status);
  }

  // -- queues -------------------------------------------------------------------------------------------------------

  void queues(const call_ptr& call) {
    const auto& path = call->path;
    if (path.size() <= 2) {
      if (!call->is("GET"))
        return call->no_method();
      auto which = seen_by(call);
      if (path.size() == 2) {
        const auto where = enter(call, path[1]);
        if (!where)
          return;
        which = {where};
      }
      return list(
          std::move(which), [](const broker::queue_spec&) { return true; },
          [this, call](const listings_ptr& found) {
            auto all = ordered_json::array();
            for (const auto& each : *found)
              for (std::size_t at = 0; at < each.all.queues.size(); ++at)
                all.push_back(queue_to_json(each.all.queues[at], each.statuses[at], each.vhost, node_.node_name));
            call->show(std::move(all));
          });
    }
    const auto where = enter(call, path[1]);
    if (!where)
      return;
    const auto& name = path[2];
    if (path.size() == 3 && call->is("GET"))
      return show_queue(call, where, name);
    if (path.size() == 3 && call->is("PUT"))
      return declare_queue(call, where, name);
    const auto queue = std::static_pointer_cast<const broker::queue_handle>(where->routes()->find_queue(name));
    if (!queue)
      return call->not_found();
    if (path.size() == 3 && call->is("DELETE"))
      return delete_queue(call, where, name);
    if (path.size() == 3)
      return call->no_method();
    if (path.size() == 4 && path[3] == "bindings" && call->is("GET"))
      return show_bindings(call, where, [name](const broker::binding_spec& each) {
        return !each.to_exchange && each.destination == name;
      });
    if (path.size() == 4 && path[3] == "contents" && call->is("DELETE"))
      return purge_queue(call, where, queue);
    if (path.size() == 4 && path[3] == "get" && call->is("POST"))
      return get(call, where, queue);
    call->not_found();
  }

  void show_queue(const call_ptr& call, const broker_ptr& where, const std::string& name) {
    list(
        {where}, [name](const broker::queue_spec& each) { return each.name == name; },
        [this, call, name](const listings_ptr& found) {
          const auto& mine = (*found)[0];
          for (std::size_t at = 0; at < mine.all.queues.size(); ++at)
            if (mine.all.queues[at].spec.name == name)
              return call->show(queue_to_json(mine.all.queues[at], mine.statuses[at], mine.vhost, node_.node_name));
          call->not_found();
        });
  }

  void declare_queue(const call_ptr& call, const broker_ptr& where, const std::string& name) {
    ordered_json body;
    if (!call->read(body))
      return;
    auto what = queue_from_json(body, name);
    if (!what)
      return call->bad(what.error().what);
    if (!call->may(action::configure, where->vhost(), name))
      return call->refused();
    broker::declare_queue question{*std::move(what), false, queues_max(call, where)};
    tell<broker::queue_ok>(call, where, std::move(question), where->routes()->find_queue(name) ? 204 : 201);
  }

  static std::optional<std::uint64_t> queues_max(const call_ptr& call, const broker_ptr& where) {
    const auto* settings = call->rules->find_vhost(where->vhost());
    const auto limit = settings ? broker::limit_of(settings->limits, "max-queues") : std::nullopt;
    return limit ? std::optional{static_cast<std::uint64_t>(*limit)} : std::nullopt;
  }

  void delete_queue(const call_ptr& call, const broker_ptr& where, const std::string& name) {
    if (!call->may(action::configure, where->vhost(), name))
      return call->refused();
    const auto& target = call->what.target;
    tell<broker::queue_deleted>(call, where,
                                broker::delete_queue{name, std::string{management_owner},
                                                     runtime::query_parameter(target, "if-unused") == "true",
                                                     runtime::query_parameter(target, "if-empty") == "true"},
                                204);
  }

  void purge_queue(const call_ptr& call, const broker_ptr& where, const broker::queue_ptr& queue) {
    if (!call->may(action::read, where->vhost(), queue->name))
      return call->refused();
    request(queue->actor, caf::infinite, broker::purge{})
        .then([call](const broker::purged&) { call->empty(204); },
              [call](const caf::error& why) { call->fail(broker::from_caf(why)); });
  }

  // -- bindings -----------------------------------------------------------------------------------------------------

  void show_bindings(const call_ptr& call, const broker_ptr& where,
                     std::function<bool(const broker::binding_spec&)> which) {
    list({where}, {},
         [call, which = std::move(which)](const listings_ptr& found) { call->show(bindings_of((*found)[0], which)); });
  }

  /// The default exchange's as well: RabbitMQ shows them.
  static ordered_json bindings_of(const vhost_listing& from,
                                  const std::function<bool(const broker::binding_spec&)>& which) {
    auto all = ordered_json::array();
    for (const auto& queue : from.all.queues)
      if (const broker::binding_spec implied{"", queue.spec.name, false, queue.spec.name, {}}; which(implied))
        all.push_back(binding_to_json(implied, from.vhost));
    for (const auto& each : from.all.bindings)
      if (which(each))
        all.push_back(binding_to_json(each, from.vhost));
    return all;
  }

  /// /bindings, /bindings/v, /bindings/v/e/x/q/y, /bindings/v/e/x/e/y, and those with a properties key.
  void bindings(const call_ptr& call) {
    const auto& path = call->path;
    if (path.size() <= 2) {
      if (!call->is("GET"))
        return call->no_method();
      auto which = seen_by(call);
      if (path.size() == 2) {
        const auto where = enter(call, path[1]);
        if (!where)
          return;
        which = {where};
      }
      return list(std::move(which), {}, [call](const listings_ptr& found) {
        auto all = ordered_json::array();
        for (const auto& each : *found)
          for (auto& binding : bindings_of(each, [](const broker::binding_spec&) { return true; }))
            all.push_back(std::move(binding));
        call->show(std::move(all));
      });
    }
    if (path.size() < 6 || path.size() > 7 || path[2] != "e" || (path[4] != "q" && path[4] != "e"))
      return call->not_found();
    const auto where = enter(call, path[1]);
    if (!where)
      return;
    broker::binding_spec ends{exchange_name(path[3]), path[5], path[4] == "e", "", {}};
    const auto between = [ends](const broker::binding_spec& each) {
      return each.source == ends.source && each.destination == ends.destination && each.to_exchange == ends.to_exchange;
    };
    if (path.size() == 6 && call->is("GET"))
      return show_bindings(call, where, between);
    if (path.size() == 6 && call->is("POST"))
      return bind(call, where, std::move(ends));
    if (path.size() == 6)
      return call->no_method();
    list({where}, {}, [this, call, where, between](const listings_ptr& found) {
      for (const auto& each : (*found)[0].all.bindings) {
        if (!between(each) || properties_key(each) != call->path[6])
          continue;
        if (call->is("GET"))
          return call->show(binding_to_json(each, where->vhost()));
        if (!call->is("DELETE"))
          return call->no_method();
        if (!may_bind(call, where, each))
          return call->refused();
        return tell<broker::bound>(call, where, broker::unbind{each, std::string{management_owner}}, 204);
      }
      call->not_found();
    });
  }

  static bool may_bind(const call_ptr& call, const broker_ptr& where, const broker::binding_spec& what) {
    return call->may(action::write, where->vhost(), what.destination) &&
           call->may(action::read, where->vhost(), what.source);
  }

  void bind(const call_ptr& call, const broker_ptr& where, broker::binding_spec what) {
    ordered_json body;
    if (!call->read(body))
      return;
    if (auto read = binding_from_json(body, what); !read)
      return call->bad(read.error().what);
    if (!may_bind(call, where, what))
      return call->refused();
    const auto key = properties_key(what);
    request(where->topology(), caf::infinite, broker::bind{std::move(what), std::string{management_owner}})
        .then(
            [call, key](const broker::bound&) {
              http_answer made{201, "", "", {}};
              made.headers.emplace_back("Location", call->path[5] + "/" + key);
              call->done(std::move(made));
            },
            [call](const caf::error& why) { call->fail(broker::from_caf(why)); });
  }

  // -- publish and get ----------------------------------------------------------------------------------------------

  struct published {
    call_ptr call;
    std::uint32_t open = 0;
    bool routed = false;
  };

  void publish(const call_ptr& call, const broker_ptr& where, const std::string& exchange) {
    ordered_json body;
    if (!call->read(body))
      return;
    auto properties = properties_from_json(body.value("properties", ordered_json::object()));
    if (!properties)
      return call->bad(properties.error().what);
    const auto key = body.at("routing_key").get<std::string>();
    auto payload = std::optional{body.at("payload").get<std::string>()};
    if (body.at("payload_encoding").get<std::string>() == "base64")
      payload = broker::from_base64(*payload);
    if (!payload)
      return call->bad("the payload is not base64");
    if (exchange.size() > 255 || key.size() > 255)
      return call->bad("names and keys have at most 255 bytes");
    if (!call->may(action::write, where->vhost(), exchange))
      return call->refused();
    broker::publisher out{where};
    out.begin();
    const auto fate = out.publish(
        make_message(exchange, key, encode_properties(*properties), *payload, properties->delivery_mode == 2));
    if (fate == broker::routed::no_exchange)
      return call->not_found();
    if (fate == broker::routed::internal)
      return call->refused("cannot publish to an internal exchange");
    const auto token = ++last_token_;
    const auto sent = out.flush(this, token, [self = caf::actor_cast<caf::actor>(this), token] {
      caf::anon_send(self, management_stored{token});
    });
    published_.emplace(token, published{call, sent.queues + (sent.durable ? 2u : 1u), fate == broker::routed::queued});
    published_step(token);
  }

  void published_step(std::uint64_t token) {
    const auto found = published_.find(token);
    if (found == published_.end() || --found->second.open > 0)
      return;
    found->second.call->answer(200, {{"routed", found->second.routed}});
    published_.erase(found);
  }

  /// One POST …/get: asks for messages one after the other, then settles all of them alike.
  struct getting {
    call_ptr call;
    broker::queue_ptr queue;
    broker::consumer_key key = 0;
    std::size_t left = 0;
    std::string mode;
    bool as_base64 = false;
    std::optional<std::size_t> truncate;
    broker::delivery_number last = 0;
    ordered_json found = ordered_json::array();
  };

  void get(const call_ptr& call, const broker_ptr& where, const broker::queue_ptr& queue) {
    ordered_json body;
    if (!call->read(body))
      return;
    auto state = std::make_shared<getting>();
    state->call = call;
    state->queue = queue;
    state->key = ++last_key_;
    // rabbitmqadmin sends the count as text.
    const auto& count = body.at("count");
    state->left = count.is_string() ? std::stoul(count.get<std::string>()) : count.get<std::size_t>();
    state->mode = body.at("ackmode").get<std::string>();
    const auto encoding = body.at("encoding").get<std::string>();
    state->as_base64 = encoding == "base64";
    if (const auto most = body.find("truncate"); most != body.end())
      state->truncate = most->is_string() ? std::stoul(most->get<std::string>()) : most->get<std::size_t>();
    if (encoding != "auto" && encoding != "base64")
      return call->bad("encoding is auto or base64");
    const std::string_view modes[] = {"ack_requeue_true", "ack_requeue_false", "reject_requeue_true",
                                      "reject_requeue_false"};
    if (std::find(std::begin(modes), std::end(modes), state->mode) == std::end(modes))
      return call->bad("ackmode is one of ack_requeue_true, ack_requeue_false, reject_requeue_true, "
                       "reject_requeue_false");
    if (!call->may(action::read, where->vhost(), queue->name))
      return call->refused();
    state->left = std::min(state->left, get_messages_max);
    get_next(state);
  }

  void get_next(const std::shared_ptr<getting>& state) {
    if (state->left == 0)
      return got_all(state);
    --state->left;
    request(state->queue->actor, caf::infinite, broker::get{caf::actor_cast<caf::actor>(this), state->key, false})
        .then(
            [this, state](const broker::got& found) {
              if (found.empty)
                return got_all(state);
              state->last = found.number;
              state->found.push_back(got_to_json(*state, found));
              get_next(state);
            },
            [state](const caf::error& why) { state->call->fail(broker::from_caf(why)); });
  }

  static ordered_json got_to_json(const getting& state, const broker::got& found) {
    const auto& what = *found.item.message;
    const auto properties = decode_properties(what.properties());
    auto body = what.body();
    const auto size = body.size();
    if (state.truncate)
      body = body.substr(0, *state.truncate);
    // Text if it is UTF-8 and nobody asked for the other.
    std::string payload{body};
    const bool as_text = !state.as_base64 && is_json_text(payload);
    return {{"payload_bytes", size},
            {"redelivered", found.item.redelivered},
            {"exchange", what.exchange()},
            {"routing_key", what.routing_key()},
            {"message_count", found.remaining},
            {"properties", properties ? properties_to_json(*properties) : ordered_json::object()},
            {"payload", as_text ? payload : broker::to_base64(payload)},
            {"payload_encoding", as_text ? "string" : "base64"}};
  }

  void got_all(const std::shared_ptr<getting>& state) {
    const auto settle = [&](broker::verdict what) {
      if (state->last > 0)
        send(state->queue->actor, broker::settle{id(), state->key, 1, state->last, what});
    };
    if (state->mode == "ack_requeue_false")
      settle(broker::verdict::ack);
    else if (state->mode == "reject_requeue_false")
      settle(broker::verdict::reject);
    send(state->queue->actor, broker::release_consumer{caf::actor_cast<caf::actor>(this), state->key});
    state->call->answer(200, state->found);
  }

  // -- users --------------------------------------------------------------------------------------------------------

  void users(const call_ptr& call) {
    const auto& path = call->path;
    if (!call->administers())
      return call->refused("Not administrator user");
    const auto& all = call->rules->users();
    if (path.size() == 1 || (path.size() == 2 && path[1] == "without-permissions")) {
      if (!call->is("GET"))
        return call->no_method();
      auto shown = ordered_json::array();
      for (const auto& [name, each] : all)
        if (path.size() == 1 || each.permissions.empty())
          shown.push_back(user_to_json(each));
      return call->show(std::move(shown));
    }
    if (path.size() == 2 && path[1] == "bulk-delete" && call->is("POST")) {
      ordered_json body;
      if (!call->read(body))
        return;
      const auto names = body.at("users").get<std::vector<std::string>>();
      return change(call, 204, [&](broker::access_rules& now) -> expected<broker::record_changes> {
        broker::record_changes changes;
        for (const auto& name : names)
          if (auto done = now.delete_user(name))
            changes.insert(changes.end(), done->begin(), done->end());
        return changes;
      });
    }
    const auto found = all.find(path[1]);
    if (path.size() == 2 && call->is("PUT"))
      return put_user(call, found == all.end() ? nullptr : &found->second);
    if (found == all.end())
      return call->not_found();
    const auto& who = found->second;
    if (path.size() == 2 && call->is("GET"))
      return call->show(user_to_json(who));
    if (path.size() == 2 && call->is("DELETE")) {
      change(call, 204, [&](broker::access_rules& now) { return now.delete_user(path[1]); });
      return node_.connections.close_if([&](const runtime::connection_facts& each) { return each.user == path[1]; },
                                        "user '" + path[1] + "' is deleted");
    }
    if (path.size() == 3 && path[2] == "permissions" && call->is("GET")) {
      auto shown = ordered_json::array();
      for (const auto& [vhost, held] : who.permissions)
        shown.push_back(permission_to_json(who.name, vhost, held));
      return call->show(std::move(shown));
    }
    if (path.size() == 3 && path[2] == "topic-permissions" && call->is("GET")) {
      auto shown = ordered_json::array();
      for (const auto& [vhost, by_exchange] : who.topic_permissions)
        for (const auto& [exchange, held] : by_exchange)
          shown.push_back(topic_permission_to_json(who.name, vhost, exchange, held));
      return call->show(std::move(shown));
    }
    path.size() == 2 ? call->no_method() : call->not_found();
  }

  void put_user(const call_ptr& call, const broker::user* known) {
    ordered_json body;
    if (!call->read(body))
      return;
    auto what = user_from_json(body, known);
    if (!what)
      return call->bad(what.error().what);
    change(call, known ? 204 : 201,
           [&](broker::access_rules& now) { return now.put_user(call->path[1], what->password, what->tags); });
  }

  // -- vhosts -------------------------------------------------------------------------------------------------------

  void vhosts(const call_ptr& call) {
    const auto& path = call->path;
    if (path.size() == 1) {
      if (!call->is("GET"))
        return call->no_method();
      return list(
          seen_by(call), [](const broker::queue_spec&) { return true; },
          [call](const listings_ptr& found) {
            auto all = ordered_json::array();
            for (const auto& each : *found)
              all.push_back(vhost_json(call, each));
            call->show(std::move(all));
          });
    }
    if (path.size() == 2 && call->is("PUT"))
      return put_vhost(call);
    const auto* settings = call->rules->find_vhost(path[1]);
    if (!settings)
      return call->not_found();
    if (path.size() == 2 && call->is("GET")) {
      const auto where = enter(call, path[1]);
      if (!where)
        return;
      return list(
          {where}, [](const broker::queue_spec&) { return true; },
          [call](const listings_ptr& found) { call->show(vhost_json(call, (*found)[0])); });
    }
    if (path.size() == 2 && call->is("DELETE"))
      return delete_vhost(call);
    if (path.size() == 3 && path[2] == "connections" && call->is("GET")) {
      auto all = ordered_json::array();
      for (const auto& card : node_.connections.list())
        if (card->facts.vhost == path[1] && (call->monitors() || card->facts.user == call->user))
          all.push_back(connection_to_json(*card, node_.node_name));
      return call->show(std::move(all));
    }
    if (path.size() == 3 && path[2] == "channels" && call->is("GET"))
      return show_channels(call, [name = path[1]](const runtime::connection_facts& in) { return in.vhost == name; });
    if (path.size() != 3)
      return path.size() == 2 ? call->no_method() : call->not_found();
    if (!call->administers())
      return call->refused("Not administrator user");
    auto shown = ordered_json::array();
    for (const auto& [name, who] : call->rules->users()) {
      if (path[2] == "permissions") {
        if (const auto held = who.permissions.find(path[1]); held != who.permissions.end())
          shown.push_back(permission_to_json(name, path[1], held->second));
      } else if (path[2] == "topic-permissions") {
        if (const auto held = who.topic_permissions.find(path[1]); held != who.topic_permissions.end())
          for (const auto& [exchange, each] : held->second)
            shown.push_back(topic_permission_to_json(name, path[1], exchange, each));
      } else {
        return call->not_found();
      }
    }
    call->is("GET") ? call->show(std::move(shown)) : call->no_method();
  }

  static ordered_json vhost_json(const call_ptr& call, const vhost_listing& from) {
    const auto* settings = call->rules->find_vhost(from.vhost);
    auto made = settings ? vhost_to_json(*settings) : ordered_json{{"name", from.vhost}};
    std::uint64_t ready = 0, unacked = 0;
    for (const auto& now : from.statuses) {
      ready += now.ready;
      unacked += now.unacked;
    }
    made["messages"] = ready + unacked;
    made["messages_ready"] = ready;
    made["messages_unacknowledged"] = unacked;
    return made;
  }

  void put_vhost(const call_ptr& call) {
    if (!call->administers())
      return call->refused("Not administrator user");
    ordered_json body;
    if (!call->read(body))
      return;
    const auto& name = call->path[1];
    const bool known = node_.vhosts->find(name) != nullptr;
    auto tags = tags_from_json(body.value("tags", ordered_json::array()));
    if (!tags)
      return call->bad(tags.error().what);
    if (auto made = node_.vhosts->put(name, body.value("description", std::string{}), *std::move(tags)); !made)
      return call->fail(made.error());
    if (known)
      return call->empty(204);
    // Who makes a vhost may use it, as RabbitMQ has it.
    change(call, 201,
           [&](broker::access_rules& now) { return now.set_permission(call->user, name, ".*", ".*", ".*"); });
  }

  void delete_vhost(const call_ptr& call) {
    if (!call->administers())
      return call->refused("Not administrator user");
    const auto& name = call->path[1];
    if (name != broker::default_vhost)
      node_.connections.close_if([&](const runtime::connection_facts& each) { return each.vhost == name; },
                                 "vhost '" + name + "' is deleted");
    if (auto gone = node_.vhosts->remove(name, [call] { call->empty(204); }); !gone)
      call->fail(gone.error());
  }

  // -- permissions and limits ---------------------------------------------------------------------------------------

  void permissions(const call_ptr& call) {
    const auto& path = call->path;
    if (!call->administers())
      return call->refused("Not administrator user");
    if (path.size() == 1) {
      if (!call->is("GET"))
        return call->no_method();
      auto all = ordered_json::array();
      for (const auto& [name, who] : call->rules->users())
        for (const auto& [vhost, held] : who.permissions)
          all.push_back(permission_to_json(name, vhost, held));
      return call->show(std::move(all));
    }
    if (path.size() != 3)
      return call->not_found();
    const auto& [vhost, name] = std::tie(path[1], path[2]);
    const auto* who = call->rules->find_user(name);
    const auto held = who ? who->permissions.find(vhost) : decltype(who->permissions.end()){};
    const bool known = who && held != who->permissions.end();
    if (call->is("PUT")) {
      ordered_json body;
      if (!call->read(body))
        return;
      return change(call, known ? 204 : 201, [&](broker::access_rules& now) {
        return now.set_permission(path[2], path[1], body.at("configure").get<std::string>(),
                                  body.at("write").get<std::string>(), body.at("read").get<std::string>());
      });
    }
    if (!known)
      return call->not_found();
    if (call->is("GET"))
      return call->show(permission_to_json(name, vhost, held->second));
    if (call->is("DELETE"))
      return change(call, 204, [&](broker::access_rules& now) { return now.clear_permission(path[2], path[1]); });
    call->no_method();
  }

  void topic_permissions(const call_ptr& call) {
    const auto& path = call->path;
    if (!call->administers())
      return call->refused("Not administrator user");
    if (path.size() == 1 || (path.size() == 3 && call->is("GET"))) {
      if (!call->is("GET"))
        return call->no_method();
      auto all = ordered_json::array();
      for (const auto& [name, who] : call->rules->users())
        for (const auto& [vhost, by_exchange] : who.topic_permissions)
          if (path.size() == 1 || (vhost == path[1] && name == path[2]))
            for (const auto& [exchange, held] : by_exchange)
              all.push_back(topic_permission_to_json(name, vhost, exchange, held));
      return path.size() == 3 && all.empty() ? call->not_found() : call->show(std::move(all));
    }
    if (path.size() == 3 && call->is("PUT")) {
      ordered_json body;
      if (!call->read(body))
        return;
      return change(call, 201, [&](broker::access_rules& now) {
        return now.set_topic_permission(path[2], path[1], body.at("exchange").get<std::string>(),
                                        body.at("write").get<std::string>(), body.at("read").get<std::string>());
      });
    }
    if ((path.size() == 3 || path.size() == 4) && call->is("DELETE"))
      return change(call, 204, [&](broker::access_rules& now) {
        return now.clear_topic_permission(path[2], path[1],
                                          path.size() == 4 ? std::optional<std::string_view>{path[3]} : std::nullopt);
      });
    call->not_found();
  }

  /// /vhost-limits and /user-limits: all, of one, and one limit of one.
  void limits(const call_ptr& call) {
    const auto& path = call->path;
    const bool of_users = path[0] == "user-limits";
    if (of_users ? !call->administers() : !call->monitors())
      return call->refused("Not administrator user");
    if (path.size() <= 2) {
      if (!call->is("GET"))
        return call->no_method();
      auto all = ordered_json::array();
      const auto put = [&](const char* kind, const std::string& name, const broker::limit_map& held) {
        if (!held.empty() && (path.size() == 1 || path[1] == name))
          all.push_back({{kind, name}, {"value", held}});
      };
      if (of_users)
        for (const auto& [name, who] : call->rules->users())
          put("user", name, who.limits);
      else
        for (const auto& [name, settings] : call->rules->vhosts())
          put("vhost", name, settings.limits);
      return call->show(std::move(all));
    }
    if (path.size() != 3)
      return call->not_found();
    if (!call->administers())
      return call->refused("Not administrator user");
    std::optional<std::int64_t> value;
    if (call->is("PUT")) {
      ordered_json body;
      if (!call->read(body))
        return;
      value = body.at("value").get<std::int64_t>();
    } else if (!call->is("DELETE")) {
      return call->no_method();
    }
    change(call, 204, [&](broker::access_rules& now) {
      return of_users ? now.set_user_limit(path[1], path[2], value) : now.set_vhost_limit(path[1], path[2], value);
    });
  }

  // -- policies -----------------------------------------------------------------------------------------------------

  void policies(const call_ptr& call) {
    const auto& path = call->path;
    const auto kind = path[0] == "policies" ? policy_kind::standard : policy_kind::bounding;
    if (!call->makes_policies() && !call->monitors())
      return call->refused("Not policymaker");
    if (path.size() <= 2) {
      if (!call->is("GET"))
        return call->no_method();
      auto which = seen_by(call);
      if (path.size() == 2) {
        const auto where = enter(call, path[1]);
        if (!where)
          return;
        which = {where};
      }
      return list(std::move(which), {}, [call, kind](const listings_ptr& found) {
        auto all = ordered_json::array();
        for (const auto& each : *found)
          for (const auto& [name, what] : each.all.policies.all(kind))
            all.push_back(policy_to_json(what, each.vhost));
        call->show(std::move(all));
      });
    }
    if (path.size() != 3)
      return call->not_found();
    const auto where = enter(call, path[1]);
    if (!where)
      return;
    if (!call->is("GET") && !(kind == policy_kind::standard ? call->makes_policies() : call->administers()))
      return call->refused(kind == policy_kind::standard ? "Not policymaker" : "Not administrator user");
    if (call->is("DELETE"))
      return tell<broker::policy_ok>(call, where, broker::remove_policy{kind, path[2]}, 204);
    if (call->is("PUT")) {
      ordered_json body;
      if (!call->read(body))
        return;
      auto what = policy_from_json(body, path[2]);
      if (!what)
        return call->bad(what.error().what);
      return list({where}, {}, [this, call, where, kind, what = *std::move(what)](const listings_ptr& found) {
        const int status = (*found)[0].all.policies.all(kind).contains(what.name) ? 204 : 201;
        tell<broker::policy_ok>(call, where, broker::put_policy{kind, what}, status);
      });
    }
    if (!call->is("GET"))
      return call->no_method();
    list({where}, {}, [call, kind](const listings_ptr& found) {
      const auto& all = (*found)[0].all.policies.all(kind);
      const auto at = all.find(call->path[2]);
      at == all.end() ? call->not_found() : call->show(policy_to_json(at->second, (*found)[0].vhost));
    });
  }

  // -- definitions --------------------------------------------------------------------------------------------------

  void definitions(const call_ptr& call) {
    const auto& path = call->path;
    if (!call->administers())
      return call->refused("Not administrator user");
    std::vector<broker_ptr> which = node_.vhosts->all();
    if (path.size() == 2) {
      const auto where = enter(call, path[1]);
      if (!where)
        return;
      which = {where};
    } else if (path.size() != 1) {
      return call->not_found();
    }
    const bool whole = path.size() == 1;
    if (call->is("GET"))
      return list(std::move(which), {}, [this, call, whole](const listings_ptr& found) {
        std::vector<std::pair<std::string, const broker::topology_listing*>> all;
        for (const auto& each : *found)
          all.emplace_back(each.vhost, &each.all);
        call->show(export_definitions(*call->rules, all, whole, rabbitmq_version));
      });
    if (!call->is("POST"))
      return call->no_method();
    ordered_json body;
    if (!call->read(body))
      return;
    auto read = read_definitions(body, whole ? std::nullopt : std::optional{path[1]});
    if (!read)
      return call->bad(read.error().what);
    import(call, *std::move(read));
  }

  /// Who may use what at once; then the topology of each vhost, one thing after the other.
  void import(const call_ptr& call, management_definitions what) {
    for (const auto& vhost : what.vhosts)
      if (auto made = node_.vhosts->put(vhost.name, vhost.description, vhost.tags); !made)
        return call->fail(made.error());
    if (auto done = node_.vhosts->access().change([&](broker::access_rules& now) { return apply_access(now, what); });
        !done)
      return call->fail(done.error());
    auto steps = std::make_shared<std::deque<std::function<void(const std::function<void()>&)>>>();
    for (auto& each : what.topology)
      steps->push_back([this, call, each = std::move(each)](const std::function<void()>& next) {
        const auto where = node_.vhosts->find(each.vhost);
        if (!where)
          return call->bad("there is no vhost '" + each.vhost + "'");
        const auto failed = [call](const caf::error& why) { call->fail(broker::from_caf(why)); };
        const auto& to = where->topology();
        if (const auto* policy = std::get_if<broker::put_policy>(&each.what))
          request(to, caf::infinite, *policy).then([next](const broker::policy_ok&) { next(); }, failed);
        else if (const auto* exchange = std::get_if<broker::declare_exchange>(&each.what))
          request(to, caf::infinite, *exchange).then([next](const broker::exchange_ok&) { next(); }, failed);
        else if (const auto* queue = std::get_if<broker::declare_queue>(&each.what))
          request(to, caf::infinite, *queue).then([next](const broker::queue_ok&) { next(); }, failed);
        else if (const auto* binding = std::get_if<broker::bind>(&each.what))
          request(to, caf::infinite, *binding).then([next](const broker::bound&) { next(); }, failed);
      });
    import_next(call, steps);
  }

  void import_next(const call_ptr& call,
                   const std::shared_ptr<std::deque<std::function<void(const std::function<void()>&)>>>& steps) {
    if (steps->empty())
      return call->empty(204);
    const auto step = std::move(steps->front());
    steps->pop_front();
    step([this, call, steps] { import_next(call, steps); });
  }

  runtime::node_context& node_;
  std::shared_ptr<runtime::actor_card> card_;
  std::map<std::uint64_t, published> published_;
  std::uint64_t last_token_ = 0;
  broker::consumer_key last_key_ = 0;
};

} // namespace

caf::actor spawn_management_desk(runtime::node_context& node) { return node.system.spawn<management_desk>(node); }

} // namespace switchboard::http
