#include "runtime/lister.hpp"

#include <charconv>
#include <optional>

#include "runtime/log.hpp"
#include "runtime/route_table.hpp"

namespace switchboard::runtime {

namespace {

/// Where a page begins: after this row. As text "<created ms>.<id>".
struct page_mark {
  std::int64_t created_ms = 0;
  std::string id;
};

std::string text_of(const page_mark& mark) { return std::to_string(mark.created_ms) + "." + mark.id; }

std::optional<page_mark> read_mark(std::string_view text) {
  const auto dot = text.find('.');
  page_mark mark;
  const auto result = std::from_chars(text.data(), text.data() + std::min(dot, text.size()), mark.created_ms);
  if (dot == std::string_view::npos || result.ec != std::errc{} || result.ptr != text.data() + dot)
    return std::nullopt;
  mark.id = text.substr(dot + 1);
  return mark;
}

std::optional<std::size_t> read_size(std::string_view text) {
  if (text.empty())
    return page_size_default;
  std::size_t size = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), size);
  if (result.ec != std::errc{} || result.ptr != text.data() + text.size() || size == 0)
    return std::nullopt;
  return std::min(size, page_size_max);
}

std::optional<json> view_of(const served_type& type, const store::entity_record& record) {
  auto opened = open_saved(type, {record.state, record.state_version});
  auto text = opened ? opened->instance.view() : expected<std::string>{opened.error()};
  auto value = text ? parse_json(*text) : expected<json>{text.error()};
  if (value)
    return std::move(*value);
  log::warning("entity_left_out_of_list", {{"type", record.type}, {"id", record.id}, {"reason", value.error().what}});
  return std::nullopt;
}

} // namespace

expected<json> list_entities(store::environment& store, const served_type& type, std::string_view customer_id,
                             std::string_view query) {
  const auto size = read_size(query_value(query, "page_size"));
  if (!size)
    return {errc::bad_format, "page_size must be a number from 1 to " + std::to_string(page_size_max)};
  const auto token = query_value(query, "page_token");
  const auto after = token.empty() ? std::optional<page_mark>{} : read_mark(token);
  if (!token.empty() && !after)
    return {errc::bad_format, "page_token must be the next_page_token of an earlier page"};

  json rows = json::array();
  std::optional<page_mark> last;
  bool more = false;
  bool begun = !after;
  const auto visit = [&](store::entity_record&& record) {
    const page_mark here{record.created.time_since_epoch().count(), record.id};
    if (!begun) {
      // Newest first: what is older than the mark comes after it, even if the marked row itself is gone.
      begun = here.created_ms < after->created_ms || here.id == after->id;
      if (here.created_ms >= after->created_ms)
        return true;
    }
    if (!customer_id.empty() && record.customer_id != customer_id)
      return true;
    if (rows.size() == *size)
      return !(more = true);
    if (auto view = view_of(type, record)) {
      rows.push_back(std::move(*view));
      last = here;
    }
    return true;
  };
  if (auto read = store.each_entity(type.name(), visit); !read && read.error().code != errc::corrupt)
    return read.error();
  json body{{"result", std::move(rows)}};
  if (more && last)
    body["next_page_token"] = text_of(*last);
  return body;
}

} // namespace switchboard::runtime
