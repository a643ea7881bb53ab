#include "node/cli_print.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

namespace switchboard::node {
namespace {

// Shown first and in this order, where present; other fields follow by name.
constexpr auto first_fields = std::to_array<std::string_view>(
    {"id",        "path",          "name",        "kind",      "status",   "previous", "queue",
     "messages",  "attempts",      "last_error",  "direction", "type",     "source",   "destination",
     "hangup_by", "hangup_reason", "reason",      "queue_id",  "call_id",  "agent_id", "conference_id",
     "waiting",   "active",        "customer_id", "tm_create", "tm_update"});

std::size_t rank(std::string_view field) {
  return static_cast<std::size_t>(std::find(first_fields.begin(), first_fields.end(), field) - first_fields.begin());
}

std::vector<std::string> by_rank(std::vector<std::string> names) {
  std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) {
    return std::pair{rank(a), std::string_view{a}} < std::pair{rank(b), std::string_view{b}};
  });
  return names;
}

std::string printable(std::string text) {
  for (auto& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '?';
  return text;
}

/// A value in one cell; addresses as their target, agents as their id, lists with commas.
std::string cell(const json& value) {
  if (value.is_string())
    return printable(value.get<std::string>());
  for (const auto* name : {"target", "agent_id"})
    if (value.is_object() && value.contains(name) && value[name].is_string())
      return printable(value[name].get<std::string>());
  if (value.is_array() && !value.empty()) {
    std::string out;
    for (const auto& entry : value)
      out += (out.empty() ? "" : ",") + cell(entry);
    return out;
  }
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Not worth a column or a field; `--json` has it.
bool is_empty(const json& value) {
  return value.is_null() || value == false || (value.is_string() && value.get_ref<const std::string&>().empty()) ||
         (value.is_structured() && value.empty());
}

/// Columns on the screen of UTF-8 text, near enough for alignment.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string padded(std::string text, std::size_t columns) {
  const auto used = width(text);
  return used < columns ? std::move(text) + std::string(columns - used, ' ') : text;
}

std::string rows_of(const json& object) {
  std::vector<std::string> names;
  std::size_t widest = 0;
  for (const auto& [name, value] : object.items())
    if (!is_empty(value))
      names.push_back(name), widest = std::max(widest, name.size());
  std::string out;
  for (const auto& name : by_rank(names))
    out += padded(printable(name), widest) + "  " + cell(object[name]) + "\n";
  return out;
}

constexpr std::size_t columns_max = 7; // more do not fit a line; `show` and --json have them all

std::string table_of(const json& list, std::size_t columns = columns_max) {
  std::vector<std::string> names;
  for (const auto& entry : list)
    for (const auto& [name, value] : entry.items())
      if (!is_empty(value) && std::find(names.begin(), names.end(), name) == names.end())
        names.push_back(name);
  names = by_rank(std::move(names));
  names.resize(std::min(names.size(), columns));
  std::vector<std::string> lines(list.size() + 1);
  for (const auto& name : names) {
    std::vector<std::string> column{printable(name)};
    for (const auto& entry : list)
      column.push_back(entry.contains(name) && !is_empty(entry[name]) ? cell(entry[name]) : "-");
    std::size_t widest = 0;
    for (const auto& text : column)
      widest = std::max(widest, width(text));
    for (std::size_t i = 0; i < lines.size(); ++i)
      lines[i] += (lines[i].empty() ? "" : "  ") + padded(std::move(column[i]), widest);
  }
  std::string out;
  for (auto& line : lines)
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  return out;
}

bool is_list_of_objects(const json& value) {
  return value.is_array() && std::all_of(value.begin(), value.end(), [](const json& e) { return e.is_object(); });
}

/// The one member that is a list of objects; none if there are several.
std::optional<std::string> only_list_in(const json& object) {
  std::optional<std::string> found;
  for (const auto& [name, value] : object.items())
    if (is_list_of_objects(value) && std::exchange(found, name))
      return std::nullopt;
  return found;
}

std::string text_at(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? printable(found->get<std::string>()) : std::string{};
}

} // namespace

std::string to_people(const json& body) {
  if (body.is_null())
    return "done\n";
  if (is_list_of_objects(body))
    return body.empty() ? "none\n" : table_of(body);
  if (!body.is_object())
    return cell(body) + "\n";
  // {"result":[…],"next_page_token":…}, {"actors":[…],"total":…}: a list in its wrapping.
  const auto list = body.contains("id") ? std::nullopt : only_list_in(body);
  if (!list)
    return rows_of(body);
  auto rest = body;
  rest.erase(*list);
  return to_people(body[*list]) + rows_of(rest);
}

std::string event_line(const json& frame) {
  auto type = text_at(frame, "event_type");
  if (type.empty())
    type = text_at(frame, "event");
  const auto timestamp = text_at(frame, "timestamp");
  auto line = (timestamp.size() >= 23 ? timestamp.substr(11, 12) : std::string{"--:--:--.---"}) + " " + type;
  const auto resource = type.substr(0, type.find('.'));
  if (const auto id = text_at(frame, "resource_id"); !id.empty())
    line += " " + resource + "=" + id;
  const auto data = frame.find("data");
  if (data == frame.end() || !data->is_object())
    return line;
  std::vector<std::string> names;
  for (const auto& [name, value] : data->items()) {
    const bool shown_already = name == "id" || name == "customer_id" || name == resource + "_id";
    const bool plain = value.is_primitive() || (value.is_object() && value.contains("target"));
    if (!shown_already && plain && !is_empty(value) && !name.starts_with("tm_"))
      names.push_back(name);
  }
  for (const auto& name : by_rank(std::move(names))) {
    const auto text = cell((*data)[name]);
    const bool quote = text.find_first_of(" \"=") != std::string::npos;
    line += " " + printable(name) + "=" + (quote ? json(text).dump() : text);
  }
  return line;
}

namespace {

/// "/status: progressing, /legs/0/muted: removed"
std::string changes_of(const json& difference) {
  std::string out;
  for (const auto& step : difference) {
    if (!step.is_object())
      continue;
    out += (out.empty() ? "" : ", ") + text_at(step, "path");
    out += step.contains("value") ? "=" + cell(step["value"]) : " " + text_at(step, "op");
  }
  return out;
}

std::string history_line(const json& line) {
  const auto at = text_at(line, "at");
  auto out = std::to_string(line.value("number", 0)) + " " + (at.size() >= 23 ? at.substr(11, 12) : at);
  const auto message = line.value("message", json{});
  out += message.is_object() ? " " + text_at(message, "kind") + " " + text_at(message, "name") : " downgrade";
  if (message.is_object() && !text_at(message, "route").empty())
    out += " " + text_at(message, "route");
  const auto outcome = line.value("outcome", json{});
  if (outcome.is_object() && outcome.contains("reply") && outcome["reply"].is_object())
    out += " -> " + std::to_string(outcome["reply"].value("status", 0));
  if (outcome.is_object())
    for (const auto* effect : {"events", "sends"})
      if (outcome.contains(effect) && !is_empty(outcome[effect]))
        out += " -> " + cell(outcome[effect]);
  out += "\n";
  if (const auto difference = line.value("difference", json{}); difference.is_array() && !difference.empty()) {
    const bool whole = difference.size() == 1 && text_at(difference[0], "path").empty();
    const auto value = whole ? difference[0].value("value", json{}) : json{};
    out += "    " +
           (whole ? value.is_null() ? "the end" : value.dump(-1, ' ', false, json::error_handler_t::replace)
                  : changes_of(difference)) +
           "\n";
  }
  if (const auto replay = text_at(line, "replay"); replay == "diverged" || replay == "unknown")
    out += "    " + replay + ": " + text_at(line, "reason") + "\n";
  return out;
}

} // namespace

std::string history_lines(const json& page) {
  std::string out;
  for (const auto& line : page["history"])
    out += history_line(line);
  const auto next = text_at(page, "next");
  return next.empty() ? out : out + "more: --after " + next + "\n";
}

std::string plugin_lines(const json& body) {
  json rows = json::array();
  for (const auto& plugin : body["plugins"]) {
    const auto file = text_at(plugin, "file");
    for (const auto& type : plugin.value("types", json::array()))
      rows.push_back({{"name", text_at(plugin, "plugin") + " " + text_at(plugin, "version")},
                      {"type", text_at(type, "type")},
                      {"file", file.substr(file.rfind('/') + 1)},
                      {"status", plugin.value("serves", false) ? "serves" : "idle"},
                      {"state_version", type.value("state_version", 0)},
                      {"live", type.value("live", 0)},
                      {"decided", type.value("decided", 0)},
                      {"failed", type.value("failed", 0)}});
  }
  auto out = rows.empty() ? to_people(rows) : table_of(rows, columns_max + 1);
  for (const auto& plugin : body["plugins"])
    if (const auto why = text_at(plugin, "rolled_back"); !why.empty())
      out += "rolled back: " + text_at(plugin, "plugin") + " " + why + "\n";
  if (const auto& left = body.value("not_moved", json::array()); !left.empty())
    out += "not moved:\n" + to_people(left);
  return out;
}

std::string dead_letter_lines(const json& body) {
  constexpr std::size_t error_bytes = 60; // of a line; `show` has it whole
  json rows = json::array();
  for (const auto& letter : body["dead_letters"]) {
    json row = json::object();
    for (const auto* name : {"id", "queue", "attempts", "reason", "died", "message_id"})
      row[name] = letter.value(name, json{});
    auto why = text_at(letter, "last_error");
    row["last_error"] = why.size() > error_bytes ? why.substr(0, error_bytes) + "..." : std::move(why);
    rows.push_back(std::move(row));
  }
  std::uint64_t all = 0;
  for (const auto& queue : body.value("queues", json::array()))
    all += queue.value("messages", std::uint64_t{0});
  auto out = to_people(rows);
  return all > rows.size() ? out + "shown: " + std::to_string(rows.size()) + " of " + std::to_string(all) + "\n" : out;
}

std::string error_line(int status, const json& body) {
  auto line = std::to_string(status);
  const auto error = body.is_object() ? body.find("error") : body.end();
  if (!body.is_object() || error == body.end() || !error->is_object())
    return line;
  const auto reason = text_at(*error, "reason"), message = text_at(*error, "message");
  return line + (reason.empty() ? "" : " " + reason) + (message.empty() ? "" : ": " + message);
}

} // namespace switchboard::node
