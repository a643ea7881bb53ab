#include "runtime/journal.hpp"

#include <charconv>

#include <xxhash.h>

#include "broker/base64.hpp"
#include "messages/json_object.hpp"

namespace switchboard::runtime {

namespace {

constexpr int life_shift = 10; // no entity decides a thousand times within each millisecond of its life

std::string_view kind_name(sb_message_kind kind) {
  switch (kind) {
  case SB_REQUEST:
    return "request";
  case SB_EVENT:
    return "event";
  case SB_MESSAGE:
    return "message";
  case SB_TIMER:
    return "timer";
  }
  return "unknown";
}

std::optional<sb_message_kind> kind_of(std::string_view name) {
  for (const auto kind : {SB_REQUEST, SB_EVENT, SB_MESSAGE, SB_TIMER})
    if (name == kind_name(kind))
      return kind;
  return std::nullopt;
}

std::string message_json(const entity_message& what) {
  json_object out;
  out.text("kind", kind_name(what.kind)).text("message_id", what.message_id).text("customer_id", what.customer_id);
  out.text("name", what.name).text("route", what.route).text("query", what.query);
  out.text("from_type", what.from_type).text("from_id", what.from_id);
  out.raw("headers", what.headers).raw("body", what.body); // values, so that people can read the journal
  return std::move(out).finish();
}

std::string state_json(std::string_view bytes, std::uint32_t version, std::string_view customer_id) {
  json_object out;
  out.number("version", version).text("hash", hash_text(state_hash(bytes, version, customer_id)));
  out.number("bytes", static_cast<std::int64_t>(bytes.size()));
  return std::move(out).finish();
}

std::string base_json(const store::entity_record* state, const hosted_type& by) {
  json_object out;
  out.raw("settings", by.settings);
  if (state) {
    out.number("version", state->state_version).text("customer_id", state->customer_id);
    // As text, so that it comes back byte by byte; JSON can't hold every byte.
    if (is_json(state->state))
      out.text("state", state->state);
    else
      out.text("state_base64", broker::to_base64(state->state));
  }
  return std::move(out).finish();
}

/// The value of a JSON member as it was handed in: JSON text, empty for null.
std::string text_in(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? std::string{} : dump(*found);
}

std::string string_in(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::optional<entity_message> read_message(const json& from) {
  const auto kind = kind_of(string_in(from, "kind"));
  if (!kind)
    return std::nullopt;
  entity_message what;
  what.kind = *kind;
  what.message_id = string_in(from, "message_id");
  what.customer_id = string_in(from, "customer_id");
  what.name = string_in(from, "name");
  what.route = string_in(from, "route");
  what.query = string_in(from, "query");
  what.from_type = string_in(from, "from_type");
  what.from_id = string_in(from, "from_id");
  what.headers = text_in(from, "headers");
  what.body = text_in(from, "body");
  return what;
}

std::optional<journal_entry::base> read_base(const json& from) {
  journal_entry::base made;
  made.settings = text_in(from, "settings");
  const auto version = from.find("version");
  made.existed = version != from.end();
  if (!made.existed)
    return made;
  if (!version->is_number_unsigned())
    return std::nullopt;
  made.state.version = version->get<std::uint32_t>();
  made.customer_id = string_in(from, "customer_id");
  made.state.bytes = string_in(from, "state");
  if (made.state.bytes.empty())
    made.state.bytes = broker::from_base64(string_in(from, "state_base64")).value_or("");
  return made.state.bytes.empty() ? std::nullopt : std::optional{std::move(made)};
}

bool read_number_text(const std::string& text, std::uint64_t& into) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), into);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size();
}

} // namespace

std::uint64_t hash_of(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string hash_text(std::uint64_t hash) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text(16, '0');
  for (auto at = text.rbegin(); at != text.rend(); ++at, hash >>= 4)
    *at = digits[hash & 0xf];
  return text;
}

std::uint64_t state_hash(std::string_view bytes, std::uint32_t version, std::string_view customer_id) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), hash_of(customer_id) ^ version);
}

std::uint64_t journal_sequence(time_point created, std::uint64_t number) {
  return (static_cast<std::uint64_t>(created.time_since_epoch().count()) << life_shift) + number;
}

bool needs_base(time_point before, std::uint64_t number, time_point at, milliseconds window) {
  const auto share = std::max<milliseconds>(window / base_shares, milliseconds{1});
  return number % base_interval == 0 || at.time_since_epoch() / share != before.time_since_epoch() / share;
}

std::string outcome_json(const decision& made) {
  json_object out;
  out.raw("ended", made.ended ? "true" : "false");
  out.array("events", made.events, [](auto& to, const auto& event) { append_json_string(to, event.type); });
  out.array("sends", made.sends, [](auto& to, const auto& send) {
    append_json_string(to, send.to_type + "/" + send.to_id + " " + send.name);
  });
  out.array("timers", made.timers, [](auto& to, const auto& timer) {
    json_object one;
    one.text("name", timer.name).raw("delay_ms", timer.delay ? std::to_string(timer.delay->count()) : "");
    to += std::move(one).finish();
  });
  if (made.reply) {
    json_object reply;
    reply.number("status", made.reply->status).text("reason", made.reply->reason);
    out.raw("reply", std::move(reply).finish());
  }
  return std::move(out).finish();
}

std::string journal_line(const entity_message& what, const decision& made, std::uint64_t number, bool existed,
                         const journal_terms& terms) {
  json_object out;
  out.number("number", static_cast<std::int64_t>(number));
  out.raw("message", message_json(what));
  out.text("random", std::to_string(terms.random)); // as text: JSON readers lose the low bits of large numbers
  out.raw("by", terms.by.stamp);
  out.raw("outcome", outcome_json(made));
  if (made.state && !made.ended)
    out.raw("state", state_json(made.state->bytes, made.state->version, made.state->customer_id));
  if (!existed || terms.base)
    out.raw("base", base_json(existed ? terms.base : nullptr, terms.by));
  return std::move(out).finish();
}

std::string move_line(std::uint64_t number, const journal_terms& terms) {
  json_object out;
  out.number("number", static_cast<std::int64_t>(number)).raw("message", {}).raw("by", terms.by.stamp);
  out.raw("state", state_json(terms.base->state, terms.base->state_version, terms.base->customer_id));
  out.raw("base", base_json(terms.base, terms.by));
  return std::move(out).finish();
}

expected<journal_entry> read_journal(const store::journal_record& from) {
  const error unreadable{errc::corrupt, "line " + std::to_string(from.sequence) + " of the journal can't be read"};
  journal_entry made;
  made.sequence = from.sequence;
  made.at = from.at;
  made.line = json::parse(from.bytes, nullptr, /*allow_exceptions*/ false);
  const auto& line = made.line;
  if (!line.is_object() || !line.contains("message"))
    return unreadable;
  const auto number = line.find("number");
  made.number = number != line.end() && number->is_number_unsigned() ? number->get<std::uint64_t>() : from.sequence;
  if (!line["message"].is_null()) {
    made.what = read_message(line["message"]);
    if (!made.what || !read_number_text(string_in(line, "random"), made.random))
      return unreadable;
    made.outcome = line.value("outcome", json{});
    made.ended = made.outcome.is_object() && made.outcome.value("ended", false);
  }
  if (const auto by = line.find("by"); by != line.end() && by->is_object()) {
    made.plugin = string_in(*by, "plugin");
    made.version = string_in(*by, "version");
    made.settings_hash = string_in(*by, "settings");
  }
  if (const auto state = line.find("state"); state != line.end() && state->is_object()) {
    made.hash = string_in(*state, "hash");
    made.state_version = state->value("version", 0u);
  }
  if (const auto base = line.find("base"); base != line.end() && base->is_object())
    if (made.from = read_base(*base); !made.from)
      return unreadable;
  return made;
}

} // namespace switchboard::runtime
