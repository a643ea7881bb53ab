// Map of this file: a delivery comes -- its request is checked -- it is handed to an entity or listed -- it is done.
#include "runtime/service.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>

#include <caf/send.hpp>

#include "base/ids.hpp"
#include "broker/death.hpp"
#include "broker/publisher.hpp"
#include "broker/queue_arguments.hpp"
#include "messages/json_object.hpp"
#include "messages/properties.hpp"
#include "messages/service_names.hpp"
#include "runtime/admission.hpp"
#include "runtime/consumer_actor.hpp"
#include "runtime/lister.hpp"
#include "runtime/log.hpp"
#include "runtime/replies.hpp"
#include "runtime/route_table.hpp"

namespace switchboard::runtime {

namespace {

using asked_for = switchboard::request; // CAF's actors have a member of that name

class service final : public consumer_actor {
public:
  service(caf::actor_config& config, entity_hosts& hosts, const std::string& name, std::uint32_t prefetch)
      : consumer_actor(config, hosts.node(),
                       hosts.node().directory.enter("/services/" + name, "service", hosts.node().clock.now()),
                       {{request_queue(name), {}, prefetch}, {request_queue_alias(name), {}, prefetch}}),
        hosts_(hosts), name_(name), scope_(request_queue(name)), publisher_(hosts.node().broker),
        seconds_(hosts.node().metrics.request_seconds.Add({{"service", name}}, duration_buckets())) {
    read_routes();
  }

  caf::behavior make_behavior() override {
    return caf::message_handler{[this](const work_done& what) {
                                  on_done(what);
                                  send_replies();
                                },
                                [this](take_types) {
                                  read_routes();
                                  return types_taken{};
                                }}
        .or_else(consumer_handlers());
  }

protected:
  // -- a delivery comes -----------------------------------------------------------------------------------------------

  void on_delivery(delivery what) override {
    auto terms = terms_of(*what.item.message);
    auto asked = decode_request(what.item.message->body());
    if (!asked) {
      if (terms.reply_to.empty()) { // nobody would ever hear of it
        count("invalid", std::to_string(status_of(asked.error().code)));
        return bury(std::move(what), asked.error());
      }
      return answer_now(what, terms, "invalid", asked.error());
    }
    if (asked->message_id.empty())
      asked->message_id = terms.message_id; // AMQP's own property, where the envelope has no room for it
    terms.message_id = asked->message_id;
    terms.dialect = asked->dialect;
    terms.scope = terms.message_id.empty() ? std::string{} : scope_;
    const auto deadline = deadline_of(*asked, terms, *what.item.message);
    if (deadline && *deadline < now())
      return answer_now(what, terms, asked->method, {errc::timed_out, "the deadline had passed when it arrived"});
    if (deadline && !admission_.admits(jobs_.size(), *deadline - now(), now()))
      return answer_now(what, terms, asked->method, {errc::unavailable, name_ + " has too much to do"});
    if (asked->method == "GET")
      terms.scope.clear(); // asking again is asking for what is now; its key may be that of the command it asks after
    if (answer_repeat(what, terms, *asked))
      return;
    begin(std::move(what), std::move(terms), std::move(*asked));
  }

  void on_batch_over() override { send_replies(); }

private:
  void read_routes() {
    routes_ = {};
    for (const auto* type : hosts_.types().all())
      if (const auto& abi = *type->now().abi; abi.service && name_ == abi.service)
        routes_.add(abi);
  }

  struct waiting_delivery {
    delivery from;
    reply_terms terms;
  };
  /// One request and its repeats while it is at work.
  struct job {
    std::string method;
    std::string message_id;
    time_point begun{};
    std::vector<waiting_delivery> deliveries; ///< the first is the one at work
  };

  reply_terms terms_of(const message& from) const {
    reply_terms terms;
    terms.domain = name_;
    terms.persistent = from.persistent();
    terms.replayed = broker::is_replayed(from);
    if (auto properties = glance_properties(from.properties())) {
      terms.reply_to = properties->reply_to;
      terms.correlation_id = properties->correlation_id;
      terms.message_id = properties->message_id;
    }
    return terms;
  }

  // -- its request is checked -----------------------------------------------------------------------------------------

  /// The earlier one of the envelope's and the message's own: its expiration counts from now on, since nobody knows
  /// when it was published.
  std::optional<time_point> deadline_of(const asked_for& asked, const reply_terms& terms, const message& from) const {
    if (terms.replayed) // its time was over when it died, and an operator wants it done all the same
      return std::nullopt;
    std::optional<time_point> deadline;
    const auto header = asked.headers.find("deadline");
    if (header != asked.headers.end() && header->is_string())
      if (const auto said = from_iso8601(header->get_ref<const std::string&>()))
        deadline = *said;
    if (!carries_expiration(from.properties()))
      return deadline;
    const auto properties = glance_properties(from.properties());
    const auto life =
        properties ? broker::read_expiration(properties->expiration) : expected<milliseconds>{properties.error()};
    if (life && (!deadline || now() + *life < *deadline))
      deadline = now() + *life;
    return deadline;
  }

  /// True if the request was seen before: then the stored reply goes out again, or it waits for the one at work.
  bool answer_repeat(const delivery& what, const reply_terms& terms, const asked_for& asked) {
    if (terms.scope.empty())
      return false;
    if (const auto same = by_message_.find(terms.message_id); same != by_message_.end()) {
      jobs_.find(same->second)->second.deliveries.push_back({what, terms});
      return true;
    }
    auto stored = hosts_.store().find_reply(terms.scope, terms.message_id);
    if (!stored) { // perhaps it was done already: doing it again is worse than saying so
      answer_now(what, terms, asked.method, stored.error());
      return true;
    }
    if (!*stored || (*stored)->expires <= now())
      return false;
    publish(terms, (*stored)->bytes);
    count(asked.method, "repeat");
    settle(what, broker::verdict::ack);
    return true;
  }

  void begin(delivery what, reply_terms terms, asked_for asked) {
    const auto [path, query] = split(asked.route);
    const auto found = routes_.find(asked.method, path);
    if (!found)
      return answer_now(what, terms, asked.method,
                        {errc::not_found, "no such route: " + asked.method + " " + std::string{path}});
    if (found->route->target == SB_LIST)
      return list(std::move(what), std::move(terms), std::move(asked), *hosts_.types().find(found->type->type));
    auto id = entity_id(*found, asked);
    if (!id)
      return answer_now(what, terms, asked.method, id.error());
    const bool may_be_new = found->route->target == SB_CREATE || found->route->target == SB_WORK;
    auto work = work_of(asked, path, query, may_be_new);
    work->answer = terms;
    work->queue = what.queue->number;
    work->at = what.item.at;
    work->again = what.item.redelivered;
    work->queue_name = what.queue->name;
    work->source = what.item.message;
    work->deadline = deadline_of(asked, terms, *what.item.message);
    work->from = caf::actor_cast<caf::actor>(this);
    work->token = add_job(std::move(what), terms, asked.method);
    if (!hosts_.tell(found->type->type, *id, work))
      on_done(
          {work->token, false, 503,
           std::make_shared<const std::string>(encode_error(terms, {errc::stopping, "the node is stopping"}, now()))});
  }

  expected<std::string> entity_id(const route_table::match& found, const asked_for& asked) const {
    if (found.route->target == SB_WORK)
      return make_ordered_uuid(now()); // nobody else's: each is decided on its own
    std::string id{found.id};
    const char* field = nullptr;
    if (found.route->target == SB_CREATE)
      field = "id";
    else if (found.route->target == SB_BY_BODY)
      field = found.route->key;
    if (field) {
      const auto value = asked.body.is_object() ? asked.body.find(field) : asked.body.end();
      if (asked.body.is_object() && value != asked.body.end() && value->is_string())
        id = value->get<std::string>();
      else if (found.route->target == SB_CREATE)
        id = make_ordered_uuid(now());
    }
    if (!is_identity(id))
      return {errc::bad_format, std::string{field ? field : "id"} + " must be an id"};
    return id;
  }

  static entity_work_ptr work_of(const asked_for& asked, std::string_view path, std::string_view query, bool creates) {
    auto work = std::make_shared<entity_work>();
    work->may_create = creates;
    work->what.kind = SB_REQUEST;
    work->what.message_id = asked.message_id.empty() ? make_uuid() : asked.message_id;
    work->what.customer_id = asked.customer_id();
    work->what.name = asked.method;
    work->what.route = path;
    work->what.query = query;
    if (!asked.headers.empty())
      work->what.headers = dump(asked.headers);
    if (!asked.body.is_null())
      work->what.body = dump(asked.body);
    return work;
  }

  // -- it is handed over ----------------------------------------------------------------------------------------------

  std::uint64_t add_job(delivery what, reply_terms terms, std::string method) {
    const auto token = ++tokens_;
    if (!terms.scope.empty())
      by_message_[terms.message_id] = token;
    auto message_id = terms.scope.empty() ? std::string{} : terms.message_id;
    job added{std::move(method), std::move(message_id), now(), {}};
    added.deliveries.push_back({std::move(what), std::move(terms)});
    jobs_.emplace(token, std::move(added));
    return token;
  }

  /// A list reads the whole type from the store, so it runs beside the service, in an actor of its own.
  void list(delivery what, reply_terms terms, asked_for asked, const served_type& type) {
    const auto token = add_job(std::move(what), terms, asked.method);
    system().spawn([self = caf::actor_cast<caf::actor>(this), token, terms = std::move(terms), asked = std::move(asked),
                    &type, &hosts = hosts_] {
      auto body = list_entities(hosts.store(), type, asked.customer_id(), split(asked.route).query);
      const auto at = hosts.node().clock.now();
      decision made;
      if (body)
        made.reply = decision::answer{200, dump(*body), {}, {}};
      auto reply = body ? encode_answer(terms, made, at) : encode_error(terms, body.error(), at);
      caf::anon_send<caf::message_priority::high>(self,
                                                  work_done{token, false, body ? 200 : status_of(body.error().code),
                                                            std::make_shared<const std::string>(std::move(reply))});
    });
  }

  // -- it is done -----------------------------------------------------------------------------------------------------

  void on_done(const work_done& what) {
    auto found = jobs_.find(what.token);
    if (found == jobs_.end())
      return;
    const auto finished = std::move(found->second);
    jobs_.erase(found);
    if (!finished.message_id.empty())
      by_message_.erase(finished.message_id);
    if (what.later)
      return give_back(finished);
    for (std::size_t index = 0; index < finished.deliveries.size(); ++index) {
      const auto& [from, terms] = finished.deliveries[index];
      // The entity has answered and deleted the first one in its commit; everything else is ours.
      const bool settled = what.committed && index == 0;
      if (!settled && must_be_kept(from, terms, finished.method, what.status)) {
        keep(from, terms, "answered " + std::to_string(what.status) + ", and nobody waits for the answer");
        continue;
      }
      if (!settled && what.reply)
        publish(terms, *what.reply);
      settle(from, settled ? broker::verdict::settled : broker::verdict::ack);
    }
    count(finished.method, std::to_string(what.status));
    admission_.done(now());
    seconds_.Observe(std::chrono::duration<double>(now() - finished.begun).count());
  }

  /// The node stops. What is on disk is done after the next start; of the rest whoever asked is told.
  void give_back(const job& unfinished) {
    for (const auto& [from, terms] : unfinished.deliveries)
      if (from.item.at != 0)
        settle(from, broker::verdict::requeue);
      else
        answer_now(from, terms, unfinished.method, {errc::stopping, "the node is stopping"});
  }

  void answer_now(const delivery& what, const reply_terms& terms, const std::string& method, const error& why) {
    count(method, std::to_string(status_of(why.code)));
    if (must_be_kept(what, terms, method, status_of(why.code)))
      return keep(what, terms, why.what);
    publish(terms, encode_error(terms, why, now()));
    settle(what, broker::verdict::ack);
  }

  /// A durable command that can't be done now, of somebody who will never hear so.
  static bool must_be_kept(const delivery& what, const reply_terms& terms, const std::string& method, int status) {
    const bool may_succeed_later = status == status_of(errc::unavailable) || status == status_of(errc::internal);
    return (terms.reply_to.empty() || terms.replayed) && what.item.at != 0 && method != "GET" && may_succeed_later;
  }

  void keep(const delivery& what, const reply_terms& terms, const std::string& why) {
    bury(what, failure{why, why, 1, {}, {}, terms.message_id});
  }

  void publish(reply_terms terms, const std::string& encoded) {
    if (terms.reply_to.empty())
      return;
    terms.persistent = false; // the request may be asked again
    publisher_.begin();
    publisher_.publish(reply_message(terms, encoded));
  }

  /// Those of one message together: refusing a flood must cost little.
  void send_replies() {
    if (!publisher_.empty())
      publisher_.take().send();
  }

  void count(const std::string& method, const std::string& status) {
    auto& counter = counters_[{method, status}];
    if (!counter)
      counter = &node().metrics.requests.Add({{"service", name_}, {"method", method}, {"status", status}});
    counter->Increment();
  }

  static prometheus::Histogram::BucketBoundaries duration_buckets() {
    return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};
  }

  time_point now() const { return hosts_.node().clock.now(); }

  entity_hosts& hosts_;
  const std::string name_;
  const std::string scope_; ///< of stored replies; the same for both queue names
  route_table routes_;
  broker::publisher publisher_;
  admission admission_;
  std::unordered_map<std::uint64_t, job> jobs_;
  std::unordered_map<std::string, std::uint64_t> by_message_;
  std::uint64_t tokens_ = 0;
  prometheus::Histogram& seconds_;
  std::map<std::pair<std::string, std::string>, prometheus::Counter*> counters_; ///< status texts come from us alone
};

} // namespace

caf::actor spawn_service(entity_hosts& hosts, const std::string& service_name, std::uint32_t prefetch) {
  // On a thread of its own: among hundreds of flooded entities its turn would come too rarely to refuse anybody in
  // time.
  return hosts.node().system.spawn<service, caf::detached>(hosts, service_name, prefetch);
}

std::vector<std::string> services_of(const entity_hosts& hosts) {
  std::vector<std::string> names;
  for (const auto* type : hosts.types().all())
    if (const auto* service = type->now().abi->service;
        service && std::find(names.begin(), names.end(), service) == names.end())
      names.emplace_back(service);
  return names;
}

} // namespace switchboard::runtime
