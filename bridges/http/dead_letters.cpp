// The front says who may; the desk, an actor, asks the queues and answers.
#include "bridges/http/dead_letters.hpp"

#include <algorithm>
#include <charconv>
#include <future>

#include <boost/asio/post.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include "bridges/http/basic_login.hpp"
#include "bridges/http/management_json.hpp"
#include "broker/base64.hpp"
#include "broker/errors.hpp"
#include "broker/retry.hpp"
#include "messages/json_object.hpp"
#include "runtime/bearer_token.hpp"

namespace switchboard::http {

struct dead_letter_call {
  http_request what;
  std::vector<std::string> path; ///< behind /api/dead-letters
  application::reply done;       ///< from any thread, once
};
using dead_letter_call_ptr = std::shared_ptr<const dead_letter_call>;
/// To the desk.
struct dead_letter_ask {
  dead_letter_call_ptr call;
};

} // namespace switchboard::http

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::http::dead_letter_ask)

namespace switchboard::http {

namespace {

constexpr std::string_view dead_letters_path = "/api/dead-letters";
constexpr std::size_t letters_default = 100;
constexpr std::size_t letters_max = 1000;
constexpr auto letters_timeout = std::chrono::seconds{30};

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (bad != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

/// What people look for first; `whole` adds properties and body.
json letter_json(const broker::queued& item, const std::string& queue, const std::string& vhost, bool whole) {
  const auto& what = *item.message;
  auto read = decode_properties(what.properties());
  const auto properties = read ? std::move(*read) : basic_properties{};
  const auto headers = properties.headers.value_or(field_table{});
  const auto text = [&](const char* name) -> json {
    const auto found = headers.text(name);
    return found ? json(*found) : json{};
  };
  const auto* deaths = headers.find("x-death");
  const auto* list = deaths ? std::get_if<field_array>(&deaths->value) : nullptr;
  const auto* last = list && !list->empty() ? std::get_if<field_table>(&list->front().value) : nullptr;
  const auto of_last = [&](const char* name) -> json {
    const auto found = last ? last->text(name) : std::nullopt;
    return found ? json(*found) : json{};
  };
  json made{{"id", item.at ? json(std::to_string(item.at)) : json{}},
            {"vhost", vhost},
            {"queue", queue},
            {"of", of_last("queue")},
            {"reason", of_last("reason")},
            {"exchange", of_last("exchange")},
            {"routing_key", nullptr},
            {"first_error", text("x-first-error")},
            {"last_error", text("x-last-error")},
            {"trace_id", text("x-trace-id")},
            {"message_id", properties.message_id ? json(*properties.message_id) : json{}},
            {"bytes", what.body().size()}};
  if (const auto* attempts = headers.find("x-retry-attempts"))
    made["attempts"] = attempts->as_integer().value_or(0);
  if (const auto* replays = headers.find("x-replayed"))
    made["replayed"] = replays->as_integer().value_or(0);
  if (const auto* keys = last ? last->find("routing-keys") : nullptr)
    if (const auto* all = std::get_if<field_array>(&keys->value); all && !all->empty() && all->front().as_string())
      made["routing_key"] = *all->front().as_string();
  if (const auto* time = last ? last->find("time") : nullptr)
    if (const auto* when = std::get_if<timestamp>(&time->value))
      made["died"] = to_iso8601(time_point{std::chrono::seconds{when->seconds}});
  if (!whole)
    return made;
  made["properties"] = json(properties_to_json(properties));
  const std::string body{what.body()};
  const bool readable = is_json_text(body);
  made["body_encoding"] = readable ? "string" : "base64";
  made["body"] = readable ? body : broker::to_base64(body);
  return made;
}

class dead_letter_desk final : public caf::event_based_actor {
public:
  dead_letter_desk(caf::actor_config& config, runtime::node_context& node)
      : caf::event_based_actor(config), node_(node),
        card_(node.directory.enter("/http/dead_letters", "dead_letters", node.clock.now())) {}

  caf::behavior make_behavior() override {
    return {[this](const dead_letter_ask& asked) {
      ++card_->handled;
      route(asked.call);
    }};
  }
  void on_exit() override { card_.reset(); }

private:
  struct target {
    std::string vhost;
    broker::queue_ptr queue;
    std::uint64_t ready = 0;
  };
  using targets = std::shared_ptr<std::vector<target>>;

  static void refuse(const dead_letter_call_ptr& call, const error& why) { call->done(error_answer(why)); }
  static std::string parameter(const dead_letter_call_ptr& call, const char* name) {
    return runtime::query_parameter(call->what.target, name).value_or("");
  }

  void route(const dead_letter_call_ptr& call) {
    const auto& path = call->path;
    const auto& method = call->what.method;
    const bool reads = method == "GET" || method == "HEAD";
    if (path.empty() && reads)
      return list(call);
    if (path.size() == 2 && path[1] == "replay" && method == "POST")
      return replay(call);
    if (path.size() == 2 && path[1] != "replay" && reads)
      return show(call);
    if ((path.size() == 1 || path.size() == 2) && method == "DELETE")
      return purge(call);
    const bool known = path.size() < 3;
    auto answer = error_answer(known ? 405 : 404, text(known ? errc::not_implemented : errc::not_found),
                               known ? "not by this method" : "no such page");
    if (known)
      answer.headers.emplace_back("Allow", path.empty()                              ? "GET, HEAD"
                                           : path.size() == 1                        ? "DELETE"
                                           : path.size() == 2 && path[1] == "replay" ? "POST"
                                                                                     : "GET, HEAD, DELETE");
    call->done(std::move(answer));
  }

  // -- all of them ----------------------------------------------------------------------------------------------------

  struct listing {
    dead_letter_call_ptr call;
    std::uint64_t skip = 0, limit = 0;
    json queues = json::array(), letters = json::array();
  };

  void list(const dead_letter_call_ptr& call) {
    auto state = std::make_shared<listing>();
    state->call = call;
    for (auto [name, into, otherwise] :
         {std::tuple{"limit", &state->limit, letters_default}, std::tuple{"skip", &state->skip, std::size_t{0}}}) {
      const auto given = parameter(call, name);
      const auto value = given.empty() ? std::optional<std::uint64_t>{otherwise} : number_in(given);
      if (!value || (into == &state->limit && *value > letters_max))
        return refuse(call, {errc::bad_format, std::string{name} + " is not a number" +
                                                   (into == &state->limit ? " from 0 to 1000" : "")});
      *into = *value;
    }
    const auto queue = grave_of(parameter(call, "queue"));
    find_all(parameter(call, "vhost"), queue, [this, state](targets all) { list_next(state, std::move(all), 0); });
  }

  void list_next(const std::shared_ptr<listing>& state, targets all, std::size_t at) {
    if (at == all->size())
      return state->call->done(json_answer(200, {{"queues", state->queues}, {"dead_letters", state->letters}}));
    const auto& next = (*all)[at];
    request(next.queue->actor, letters_timeout, broker::inspect_queue{})
        .then(
            [this, state, all, at](const broker::queue_status& now) {
              const auto& of = (*all)[at];
              if (now.ready > 0)
                state->queues.push_back({{"vhost", of.vhost}, {"queue", of.queue->name}, {"messages", now.ready}});
              if (state->skip >= now.ready || state->letters.size() >= state->limit) {
                state->skip -= std::min(state->skip, now.ready);
                return list_next(state, all, at + 1);
              }
              list_letters(state, all, at);
            },
            [this, state, all, at](const caf::error&) { list_next(state, all, at + 1); }); // it went meanwhile
  }

  void list_letters(const std::shared_ptr<listing>& state, const targets& all, std::size_t at) {
    broker::browse what;
    what.skip = std::exchange(state->skip, 0);
    what.count = state->limit - state->letters.size();
    request((*all)[at].queue->actor, letters_timeout, what)
        .then(
            [this, state, all, at](const broker::browsed& found) {
              const auto& of = (*all)[at];
              for (const auto& item : found.messages)
                state->letters.push_back(letter_json(item, of.queue->name, of.vhost, false));
              list_next(state, all, at + 1);
            },
            [state](const caf::error& why) { refuse(state->call, broker::from_caf(why)); });
  }

  /// "call" -> "call.dead", and a name of such a queue as it is.
  static std::string grave_of(const std::string& queue) {
    return queue.empty() || broker::is_dead_letter_queue(queue) ? queue : broker::dead_letter_queue(queue);
  }

  /// The queues for dead letters of that vhost (empty: all) and name (empty: all).
  void find_all(const std::string& vhost, const std::string& name, std::function<void(targets)> then) {
    auto found = std::make_shared<std::vector<target>>();
    auto left = std::make_shared<std::vector<broker::broker_ptr>>();
    for (const auto& each : node_.vhosts->all())
      if (vhost.empty() || each->vhost() == vhost)
        left->push_back(each);
    find_next(left, found, name, std::move(then));
  }

  void find_next(const std::shared_ptr<std::vector<broker::broker_ptr>>& left, const targets& found,
                 const std::string& name, std::function<void(targets)> then) {
    if (left->empty())
      return then(found);
    const auto next = left->back();
    left->pop_back();
    request(next->topology(), letters_timeout, broker::list_topology{})
        .then(
            [this, left, found, name, then, next](const broker::topology_listing& all) {
              for (const auto& each : all.queues)
                if (each.handle->kind == broker::endpoint_kind::queue && broker::is_dead_letter_queue(each.spec.name) &&
                    (name.empty() || each.spec.name == name))
                  found->push_back({next->vhost(), each.handle, 0});
              find_next(left, found, name, then);
            },
            [this, left, found, name, then](const caf::error&) { find_next(left, found, name, then); });
  }

  // -- of one queue ---------------------------------------------------------------------------------------------------

  /// The queue that the path names, in the vhost that the query names.
  broker::queue_ptr queue_of(const dead_letter_call_ptr& call) {
    const auto vhost = parameter(call, "vhost");
    for (const auto& each : node_.vhosts->all())
      if (each->vhost() == (vhost.empty() ? "/" : vhost))
        if (const auto routes = each->routes())
          if (auto found =
                  std::static_pointer_cast<const broker::queue_handle>(routes->find_queue(grave_of(call->path[0])));
              found && found->kind == broker::endpoint_kind::queue)
            return found;
    refuse(call, {errc::not_found, "no dead letters of '" + call->path[0] + "'"});
    return nullptr;
  }

  static error no_letter(const std::string& id) { return {errc::not_found, "no dead letter '" + id + "'"}; }

  void show(const dead_letter_call_ptr& call) {
    const auto queue = queue_of(call);
    if (!queue)
      return;
    const auto id = number_in(call->path[1]);
    if (!id || *id == 0)
      return refuse(call, no_letter(call->path[1]));
    const auto vhost = parameter(call, "vhost");
    broker::browse what;
    what.only = *id;
    request(queue->actor, letters_timeout, what)
        .then(
            [call, queue, vhost](const broker::browsed& found) {
              if (found.messages.empty())
                return refuse(call, no_letter(call->path[1]));
              call->done(json_answer(
                  200, letter_json(found.messages.front(), queue->name, vhost.empty() ? "/" : vhost, true)));
            },
            [call](const caf::error& why) { refuse(call, broker::from_caf(why)); });
  }

  void replay(const dead_letter_call_ptr& call) {
    const auto queue = queue_of(call);
    if (!queue)
      return;
    auto which = ids_in(call->what.body);
    if (!which)
      return refuse(call, which.error());
    replay_on(call, queue, {std::move(*which), 0}, {});
  }

  /// Batch by batch, each of which is whole on its own.
  void replay_on(const dead_letter_call_ptr& call, const broker::queue_ptr& queue, broker::replay what,
                 broker::replayed so_far) {
    request(queue->actor, letters_timeout, what)
        .then(
            [this, call, queue, what, so_far](const broker::replayed& now) mutable {
              so_far.messages += now.messages;
              so_far.kept += now.kept;
              what.skip += now.kept;
              const bool all_found = !what.which.empty() && so_far.messages >= what.which.size();
              if (now.more && !all_found)
                return replay_on(call, queue, what, so_far);
              const auto kept = what.which.empty() ? so_far.kept : what.which.size() - so_far.messages;
              call->done(json_answer(200, {{"replayed", so_far.messages}, {"kept", kept}}));
            },
            [call](const caf::error& why) { refuse(call, broker::from_caf(why)); });
  }

  /// {"ids": ["17"]}, each once; none for {}.
  static expected<std::vector<broker::position>> ids_in(const std::string& body) {
    std::vector<broker::position> ids;
    if (body.empty())
      return ids;
    const auto read = parse_json(body);
    const error wrong{errc::bad_format, "the body is {\"ids\": [\"17\", …]}, or {} for all of them"};
    if (!read || !read->is_object())
      return wrong;
    const auto given = read->find("ids");
    if (given == read->end())
      return read->empty() ? expected<std::vector<broker::position>>{ids} : wrong;
    if (!given->is_array() || given->empty()) // an empty list must not mean all
      return wrong;
    for (const auto& each : *given) {
      const auto id = each.is_string() ? number_in(each.get_ref<const std::string&>()) : std::nullopt;
      if (!id || *id == 0)
        return wrong;
      ids.push_back(*id);
    }
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
  }

  void purge(const dead_letter_call_ptr& call) {
    const auto queue = queue_of(call);
    if (!queue)
      return;
    const auto answer = [call](const broker::purged& gone) {
      if (gone.messages == 0 && call->path.size() == 2)
        return refuse(call, no_letter(call->path[1]));
      call->done(json_answer(200, {{"purged", gone.messages}}));
    };
    const auto fail = [call](const caf::error& why) { refuse(call, broker::from_caf(why)); };
    if (call->path.size() == 1)
      return request(queue->actor, letters_timeout, broker::purge{}).then(answer, fail);
    const auto id = number_in(call->path[1]);
    if (!id || *id == 0)
      return refuse(call, no_letter(call->path[1]));
    request(queue->actor, letters_timeout, broker::purge_some{{*id}}).then(answer, fail);
  }

  runtime::node_context& node_;
  std::shared_ptr<runtime::actor_card> card_;
};

} // namespace

dead_letters::dead_letters(runtime::node_context& node, std::string loopback_user)
    : node_(node), loopback_user_(std::move(loopback_user)), desk_(node.system.spawn<dead_letter_desk>(node)) {}

dead_letters::~dead_letters() {
  std::promise<void> ended;
  desk_->attach_functor([&] { ended.set_value(); });
  caf::anon_send_exit(desk_, caf::exit_reason::user_shutdown);
  ended.get_future().wait();
}

bool dead_letters::serves(std::string_view path) noexcept {
  return path == dead_letters_path ||
         (path.starts_with(dead_letters_path) && path.substr(dead_letters_path.size()).starts_with('/'));
}

void dead_letters::handle(http_request what, runtime::asio_unit& home, reply done) {
  if (!may_administer(what, node_, loopback_user_))
    return done(login_wanted());
  if (what.method == "POST" && !is_json_type(what.header("Content-Type")))
    return done(error_answer(415, text(errc::bad_format), "the body must be application/json"));
  auto call = std::make_shared<dead_letter_call>();
  call->path = segments_below("/api/dead-letters/", runtime::path_of(what.target));
  call->what = std::move(what);
  call->done = [&home, done = std::move(done)](http_answer answer) {
    boost::asio::post(home.context(), [done, answer = std::move(answer)]() mutable { done(std::move(answer)); });
  };
  caf::anon_send(desk_, dead_letter_ask{std::move(call)});
}

} // namespace switchboard::http
