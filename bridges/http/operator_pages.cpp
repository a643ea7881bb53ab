#include "bridges/http/operator_pages.hpp"

#include <charconv>
#include <optional>

#include <boost/asio/post.hpp>
#include <caf/event_based_actor.hpp>

#include "bridges/http/basic_login.hpp"
#include "runtime/bearer_token.hpp"
#include "runtime/history.hpp"

namespace switchboard::http {

namespace {

constexpr int at_work_max = 8;

bool is_below(std::string_view path, std::string_view page) noexcept {
  return path == page || (path.starts_with(page) && path.substr(page.size()).starts_with('/'));
}

http_answer answered(const expected<json>& made) { return made ? json_answer(200, *made) : error_answer(made.error()); }

http_answer not_by_this_method(const char* allowed) {
  auto refused = error_answer(405, text(errc::not_implemented), "not by this method");
  refused.headers.emplace_back("Allow", allowed);
  return refused;
}

/// A number of the query; `otherwise` if it isn't there, nothing if it is no number up to `most`.
std::optional<std::uint64_t> number_of(const http_request& what, const char* name, std::uint64_t otherwise,
                                       std::uint64_t most = ~std::uint64_t{0}) {
  const auto given = runtime::query_parameter(what.target, name);
  if (!given)
    return otherwise;
  std::uint64_t value = 0;
  const auto [end, bad] = std::from_chars(given->data(), given->data() + given->size(), value);
  if (bad != std::errc{} || end != given->data() + given->size() || value > most)
    return std::nullopt;
  return value;
}

http_answer change_plugins(const http_request& what, const std::vector<std::string>& path, runtime::plugins& plugins) {
  if (path.size() == 2 && path[1] == "rollback")
    return what.method == "POST" ? answered(plugins.roll_back(path[0])) : not_by_this_method("POST");
  if (!path.empty())
    return error_answer(404, text(errc::not_found), "no such page");
  if (what.method == "GET" || what.method == "HEAD")
    return json_answer(200, plugins.list());
  if (what.method != "POST")
    return not_by_this_method("GET, HEAD, POST");
  const auto body = parse_json(what.body);
  const auto file = body && body->is_object() ? body->find("path") : json::const_iterator{};
  if (!body || !body->is_object() || file == body->end() || !file->is_string() || body->size() != 1)
    return error_answer(400, text(errc::bad_format), "the body is {\"path\": \"call-v2.so\"}");
  return answered(plugins.load(file->get<std::string>()));
}

http_answer show_history(const http_request& what, const std::vector<std::string>& path,
                         runtime::entity_hosts& entities) {
  if (path.size() != 3 || path[2] != "history")
    return error_answer(404, text(errc::not_found), "no such page");
  if (what.method != "GET" && what.method != "HEAD")
    return not_by_this_method("GET, HEAD");
  const auto after = number_of(what, "after", 0);
  const auto until = number_of(what, "until", 0);
  const auto limit = number_of(what, "limit", runtime::history_page_default, runtime::history_page_max);
  const auto states = number_of(what, "states", 0, 1);
  const auto replay = number_of(what, "replay", 0, 1);
  if (!after || !until || !limit || *limit == 0 || !states || !replay)
    return error_answer(400, text(errc::bad_format),
                        "after and until are a line's sequence, limit is 1 to 1000, states and replay are 0 or 1");
  if (*replay == 1)
    return answered(runtime::replay_history(entities, path[0], path[1], *until));
  return answered(runtime::entity_history(entities, {path[0], path[1], *after, *limit, *states == 1}));
}

} // namespace

operator_pages::operator_pages(runtime::node_context& node, runtime::plugins& plugins, runtime::entity_hosts& entities,
                               std::string loopback_user)
    : node_(node), plugins_(plugins), entities_(entities), loopback_user_(std::move(loopback_user)) {}

bool operator_pages::serves(std::string_view path) noexcept {
  return is_below(path, "/api/plugins") || is_below(path, "/api/entities");
}

void operator_pages::handle(http_request what, runtime::asio_unit& home, reply done) {
  if (!may_administer(what, node_, loopback_user_))
    return done(login_wanted());
  if (what.method == "POST" && !is_json_type(what.header("Content-Type")))
    return done(error_answer(415, text(errc::bad_format), "the body must be application/json"));
  if (at_work_->fetch_add(1) >= at_work_max) {
    at_work_->fetch_sub(1);
    return done(error_answer(503, text(errc::unavailable), "too many such requests at once"));
  }
  node_.system.spawn<caf::detached>([what = std::move(what), &home, done = std::move(done), at_work = at_work_,
                                     &plugins = plugins_, &entities = entities_] {
    const std::string path{runtime::path_of(what.target)};
    auto answer = is_below(path, "/api/plugins") ? change_plugins(what, segments_below("/api/plugins/", path), plugins)
                                                 : show_history(what, segments_below("/api/entities/", path), entities);
    at_work->fetch_sub(1);
    boost::asio::post(home.context(), [done, answer = std::move(answer)]() mutable { done(std::move(answer)); });
  });
}

} // namespace switchboard::http
