#include "actors/flow/flow_actions.hpp"

#include <algorithm>
#include <set>

namespace switchboard::telephony {

namespace {

using sdk::body_reader;

constexpr std::size_t label_bytes_max = 64;
constexpr std::size_t media_max = 20;
constexpr std::size_t branches_max = 50;
constexpr std::int64_t digits_most = 32;
constexpr std::string_view keys_of_a_phone = "0123456789*#ABCD";

milliseconds limit_default(action_type type) {
  switch (type) {
  case action_type::answer:
  case action_type::hangup:
    return std::chrono::seconds{30};
  case action_type::play:
    return std::chrono::minutes{10};
  case action_type::digits_collect:
    return std::chrono::seconds{10};
  case action_type::queue_join:
  case action_type::conference_join:
  case action_type::connect:
    return std::chrono::hours{4};
  case action_type::goto_action:
  case action_type::sleep:
    break;
  }
  return milliseconds{0};
}

bool are_keys(std::string_view text) { return text.find_first_not_of(keys_of_a_phone) == std::string_view::npos; }

json read_play(body_reader& in) {
  const auto urls = in.texts("media_urls", media_max);
  if (urls.empty())
    in.complain_of("media_urls", "must name at least one file");
  return {{"media_urls", urls}, {"loops", in.integer("loops", 1, 1, 100)}};
}

json read_queue_join(body_reader& in) {
  json read{{"queue_id", in.identity("queue_id")}, {"priority", in.integer("priority", 0, -1000, 1000)}};
  const auto* skills = in.find("skills");
  if (skills && !skills->is_object())
    in.complain_of("skills", "must be an object of levels by name");
  read["skills"] = skills ? *skills : json::object(); // the levels are the queue's to judge
  return read;
}

json read_connect(body_reader& in) {
  const auto* to = in.find("destination");
  if (!to) {
    in.complain_of("destination", "is missing");
    return {};
  }
  return {{"destination", sdk::read_address(in, "destination", *to)},
          {"dial_timeout_ms", in.duration("dial_timeout_ms", std::chrono::seconds{60}, milliseconds{1}).count()}};
}

json read_digits_collect(body_reader& in) {
  json read{{"digits_max", in.integer("digits_max", 1, 1, digits_most)}, {"terminator", in.text("terminator", "#")}};
  const auto terminator = read["terminator"].get<std::string>();
  if (terminator.size() > 1 || !are_keys(terminator))
    in.complain_of("terminator", "must be one key, or empty");
  read["branches"] = json::object();
  const auto* branches = in.find("branches");
  if (!branches)
    return read;
  if (!branches->is_object() || branches->size() > branches_max) {
    in.complain_of("branches", "must be an object of at most 50 actions' ids by digits");
    return read;
  }
  for (const auto& [digits, to] : branches->items())
    if (digits.empty() || digits.size() > digits_most || !are_keys(digits) || !to.is_string())
      in.complain_of("branches", "must be an object of actions' ids by digits");
  read["branches"] = *branches;
  return read;
}

json read_option(body_reader& in, action_type type) {
  switch (type) {
  case action_type::answer:
    break;
  case action_type::play:
    return read_play(in);
  case action_type::queue_join:
    return read_queue_join(in);
  case action_type::conference_join:
    return {{"conference_id", in.identity("conference_id")}};
  case action_type::connect:
    return read_connect(in);
  case action_type::digits_collect:
    return read_digits_collect(in);
  case action_type::goto_action:
    return {{"action_id", in.text("action_id")}, {"times", in.integer("times", 1, 1, 100)}};
  case action_type::sleep:
    if (!in.find("duration_ms"))
      in.complain_of("duration_ms", "is missing");
    return {{"duration_ms", in.duration("duration_ms", milliseconds{0}, milliseconds{1}).count()}};
  case action_type::hangup:
    return {{"reason", in.text("reason")}};
  }
  return json::object();
}

action read_action(body_reader& fields) {
  action read;
  read.id = fields.text("id");
  if (read.id.size() > label_bytes_max)
    fields.complain_of("id", "must be of at most 64 bytes");
  const auto type = sdk::from_text<action_type>(fields.text("type"));
  if (!type) {
    fields.complain_of("type", "must be answer, play, queue_join, conference_join, connect, digits_collect, goto, "
                               "sleep or hangup");
    return read;
  }
  read.type = *type;
  read.on_failure = fields.text("on_failure");
  read.limit = fields.duration("limit_ms", limit_default(read.type), milliseconds{1});
  static const json nothing = json::object();
  const auto* option = fields.find("option");
  if (option && !option->is_object()) {
    fields.complain_of("option", "must be an object");
    return read;
  }
  body_reader options{option ? *option : nothing};
  read.option = read_option(options, read.type);
  if (options.wrong())
    fields.complain("option." + options.wrong()->what);
  return read;
}

/// Every place a run may go to must be there.
void check_targets(body_reader& in, const char* name, const std::vector<action>& all) {
  std::set<std::string_view> ids;
  for (const auto& one : all)
    if (!one.id.empty() && !ids.insert(one.id).second)
      in.complain_of(name, "have the id \"" + one.id + "\" twice");
  const auto check = [&](const std::string& id) {
    if (!ids.contains(id))
      in.complain_of(name, "have none with the id \"" + id + "\"");
  };
  for (const auto& one : all) {
    if (!one.on_failure.empty())
      check(one.on_failure);
    if (one.type == action_type::goto_action)
      check(one.option.value("action_id", ""));
    if (one.type == action_type::digits_collect)
      for (const auto& [digits, to] : one.option.at("branches").items())
        check(to.get<std::string>());
  }
}

} // namespace

void to_json(json& out, const action& from) {
  out = {{"id", from.id},
         {"type", sdk::text(from.type)},
         {"option", from.option},
         {"on_failure", from.on_failure},
         {"limit_ms", from.limit.count()}};
}

void from_json(const json& in, action& into) {
  in.at("id").get_to(into.id);
  in.at("type").get_to(into.type);
  into.option = in.at("option");
  in.at("on_failure").get_to(into.on_failure);
  into.limit = milliseconds{in.at("limit_ms").get<std::int64_t>()};
}

std::vector<action> read_actions(body_reader& in, const char* name) {
  std::vector<action> all;
  const auto* list = in.find(name);
  if (!list || !list->is_array() || list->empty() || list->size() > actions_max) {
    in.complain_of(name, "must be a list of 1 to 100 actions");
    return all;
  }
  for (std::size_t at = 0; at < list->size(); ++at) {
    const auto place = std::string{name} + "[" + std::to_string(at) + "]";
    if (!(*list)[at].is_object()) {
      in.complain_of(place, "must be an object");
      return all;
    }
    body_reader fields{(*list)[at]};
    all.push_back(read_action(fields));
    if (fields.wrong()) {
      in.complain(place + "." + fields.wrong()->what);
      return all;
    }
  }
  check_targets(in, name, all);
  return all;
}

std::optional<std::size_t> find_action(const std::vector<action>& all, std::string_view id) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const action& each) { return each.id == id; });
  if (id.empty() || found == all.end())
    return std::nullopt;
  return static_cast<std::size_t>(found - all.begin());
}

digits_outcome judge_digits(const action& collect, std::string_view digits, bool over) {
  const auto terminator = collect.option.value("terminator", "");
  const auto most = collect.option.value("digits_max", std::size_t{1});
  const auto end = terminator.empty() ? std::string_view::npos : digits.substr(0, most).find(terminator.front());
  const bool terminated = end != std::string_view::npos;
  if (!terminated && !over && digits.size() < most)
    return {};
  digits_outcome made{true, std::string{digits.substr(0, std::min(end, most))}, {}, {}};
  made.left = digits.substr(std::min(digits.size(), made.typed.size() + (terminated ? 1 : 0)));
  made.action_id = collect.option.at("branches").value(made.typed, "");
  return made;
}

} // namespace switchboard::telephony
