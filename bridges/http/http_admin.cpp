#include "bridges/http/http_admin.hpp"

#include <charconv>

#include "bridges/http/dead_letters.hpp"
#include "bridges/http/management.hpp"
#include "bridges/http/operator_pages.hpp"
#include "runtime/bearer_token.hpp"

namespace switchboard::http {

namespace {

constexpr std::size_t rows_default = 1000;
constexpr std::size_t rows_max = 10'000;

constexpr const char* index_page = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Switchboard</title></head>
<body><h1>Switchboard</h1><ul>
<li><a href="/readyz">ready?</a> <a href="/healthz">alive?</a></li>
<li><a href="/api/actors">live actors</a> (?prefix=/services&amp;limit=100)</li>
<li><a href="/api/dead-letters">dead letters</a></li>
<li><a href="/api/plugins">plugins</a></li>
<li><a href="/metrics">metrics</a></li>
</ul></body></html>
)";

} // namespace

admin::admin(runtime::node_context& node, std::shared_ptr<application> api, readiness not_ready,
             std::shared_ptr<application> letters, std::shared_ptr<application> operators)
    : node_(node), api_(std::move(api)), letters_(std::move(letters)), operators_(std::move(operators)),
      not_ready_(std::move(not_ready)) {}

void admin::handle(http_request what, runtime::asio_unit& home, reply done) {
  if (api_ && management::serves(runtime::path_of(what.target)))
    return api_->handle(std::move(what), home, std::move(done));
  if (letters_ && dead_letters::serves(runtime::path_of(what.target)))
    return letters_->handle(std::move(what), home, std::move(done));
  if (operators_ && operator_pages::serves(runtime::path_of(what.target)))
    return operators_->handle(std::move(what), home, std::move(done));
  done(answer(what));
}

http_answer admin::answer(const http_request& what) {
  if (what.method != "GET" && what.method != "HEAD") {
    auto refused = error_answer(405, text(errc::not_implemented), "this listener only shows");
    refused.headers.emplace_back("Allow", "GET, HEAD");
    return refused;
  }
  const auto path = runtime::path_of(what.target);
  if (path == "/")
    return {200, "text/html; charset=utf-8", index_page, {}};
  if (path == "/metrics")
    return {200, "text/plain; version=0.0.4; charset=utf-8", node_.metrics.page(), {}};
  if (path == "/healthz")
    return json_answer(200, {{"status", "alive"}});
  if (path == "/readyz")
    return ready();
  if (path == "/api/actors")
    return actors(what);
  return error_answer(404, text(errc::not_found), "no such page");
}

http_answer admin::ready() const {
  auto why = node_.not_ready();
  if (!why && not_ready_)
    why = not_ready_();
  if (!why)
    return json_answer(200, {{"status", "ready"}, {"node", node_.node_name}});
  auto refused = json_answer(503, {{"status", "not_ready"}, {"node", node_.node_name}, {"reason", *why}});
  refused.headers.emplace_back("Retry-After", "1");
  return refused;
}

http_answer admin::actors(const http_request& what) const {
  std::size_t limit = rows_default;
  if (const auto text = runtime::query_parameter(what.target, "limit")) {
    const auto [end, bad] = std::from_chars(text->data(), text->data() + text->size(), limit);
    if (bad != std::errc{} || end != text->data() + text->size() || limit > rows_max)
      return error_answer(400, switchboard::text(errc::bad_format), "limit is not a number from 0 to 10000");
  }
  auto rows = json::array();
  for (const auto& row : node_.directory.list(runtime::query_parameter(what.target, "prefix").value_or(""), limit))
    rows.push_back({{"path", row.path},
                    {"kind", row.kind},
                    {"started", to_iso8601(row.started)},
                    {"handled", row.handled},
                    {"mailbox", row.mailbox},
                    {"restarts", row.restarts}});
  return json_answer(200, {{"actors", std::move(rows)}, {"total", node_.directory.size()}});
}

} // namespace switchboard::http
