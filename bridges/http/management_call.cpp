#include "bridges/http/management_call.hpp"

#include <algorithm>
#include <charconv>

#include "runtime/bearer_token.hpp"

namespace switchboard::http {

namespace {

constexpr std::size_t page_size_default = 100;
constexpr std::size_t page_size_max = 500; // RabbitMQ's

std::string text_of(const ordered_json& body) {
  return body.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::optional<std::size_t> number_parameter(std::string_view target, std::string_view name) {
  const auto text = runtime::query_parameter(target, name);
  std::size_t number = 0;
  if (!text)
    return std::nullopt;
  const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), number);
  return problem == std::errc{} && end == text->data() + text->size() ? std::optional{number} : std::nullopt;
}

/// RabbitMQ's paging: the page and what there is besides.
ordered_json page_of(const ordered_json& all, std::size_t page, std::size_t size) {
  const auto total = all.size();
  auto items = ordered_json::array();
  for (auto at = (page - 1) * size; at < std::min(page * size, total); ++at)
    items.push_back(all[at]);
  return {{"filtered_count", total},
          {"item_count", items.size()},
          {"items", std::move(items)},
          {"page", page},
          {"page_count", (total + size - 1) / size},
          {"page_size", size},
          {"total_count", total}};
}

} // namespace

void management_call::answer(int status, const ordered_json& body) const {
  done({status, "application/json", text_of(body), {}});
}

void management_call::show(ordered_json body) const {
  const auto& target = what.target;
  if (body.is_array()) {
    if (const auto name = runtime::query_parameter(target, "name"); name && !name->empty()) {
      auto kept = ordered_json::array();
      for (auto& each : body)
        if (each.value("name", std::string{}).find(*name) != std::string::npos)
          kept.push_back(std::move(each));
      body = std::move(kept);
    }
    if (const auto by = runtime::query_parameter(target, "sort")) {
      const auto less = [&](const ordered_json& a, const ordered_json& b) {
        return a.value(*by, ordered_json{}) < b.value(*by, ordered_json{});
      };
      std::stable_sort(body.begin(), body.end(), less);
      if (runtime::query_parameter(target, "sort_reverse") == "true")
        std::reverse(body.begin(), body.end());
    }
  }
  const auto columns = runtime::query_parameter(target, "columns");
  if (columns && !columns->empty())
    body = only_columns(body, *columns);
  const auto page = number_parameter(target, "page");
  if (body.is_array() && page && *page > 0) {
    const auto size = number_parameter(target, "page_size").value_or(page_size_default);
    if (size == 0 || size > page_size_max)
      return bad("page_size is 1 to 500");
    body = page_of(body, *page, size);
  }
  answer(200, body);
}

void management_call::empty(int status) const { done({status, "", "", {}}); }

void management_call::error(int status, std::string_view word, std::string_view reason) const {
  http_answer made{status, "application/json", text_of({{"error", word}, {"reason", reason}}), {}};
  if (status == 401)
    made.headers.emplace_back("WWW-Authenticate", "Basic realm=\"Switchboard management\"");
  done(std::move(made));
}

void management_call::no_method() const { error(405, "Method Not Allowed", "this path does not know that method"); }

void management_call::fail(const switchboard::error& why) const {
  switch (why.code) {
  case errc::not_found:
    return error(404, "not_found", why.what);
  case errc::access_refused:
    return refused(why.what);
  case errc::bad_format:
  case errc::precondition_failed:
  case errc::resource_locked:
  case errc::too_large:
  case errc::not_implemented:
    return bad(why.what);
  default:
    return error(500, "internal_error", why.what);
  }
}

bool management_call::read(ordered_json& into) const {
  into = what.body.empty() ? ordered_json::object() : ordered_json::parse(what.body, nullptr, false);
  if (into.is_object())
    return true;
  error(400, "not_json", "the body is not a JSON object");
  return false;
}

} // namespace switchboard::http
