// The map of this file: names, equality of arguments, exchanges, the table of queue arguments with its checks, queues.
#include "broker/topology_rules.hpp"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>

#include "broker/amqp_reply.hpp"
#include "broker/exchange_bindings.hpp"
#include "broker/queue_arguments.hpp"
#include "broker/topology_terms.hpp"

namespace switchboard::broker {

// -- names ----------------------------------------------------------------------------------------------------------

namespace {

constexpr std::size_t name_bytes_max = 255;

std::string text_of(bool flag) { return flag ? "true" : "false"; }

} // namespace

std::string clean_name(std::string_view name) {
  std::string clean{name};
  std::erase_if(clean, [](char each) { return each == '\r' || each == '\n'; });
  return clean;
}

expected<void> check_new_name(std::string_view kind, std::string_view name) {
  if (name.starts_with("amq."))
    return access_refused(std::string{kind} + " name '" + std::string{name} + "' contains reserved prefix 'amq.*'");
  // A client's name fits a short string of the wire anyway; this is for components within the node.
  if (name.size() > name_bytes_max)
    return precondition_failed(std::string{kind} + " name is longer than 255 bytes");
  return {};
}

expected<void> check_not_default(std::string_view exchange) {
  if (exchange.empty())
    return access_refused("operation not permitted on the default exchange");
  return {};
}

// -- equality of arguments ------------------------------------------------------------------------------------------

namespace {

expected<void> inequivalent(std::string_view argument, const std::string& thing, const std::string& received,
                            const std::string& current) {
  return precondition_failed("inequivalent arg '" + std::string{argument} + "' for " + thing + ": received " +
                             received + " but current is " + current);
}

std::string quoted(const std::string& text) { return "'" + text + "'"; }

expected<void> check_same_flag(std::string_view name, const std::string& thing, bool current, bool wanted) {
  if (current == wanted)
    return {};
  return inequivalent(name, thing, quoted(text_of(wanted)), quoted(text_of(current)));
}

/// Values without their type: a number whatever its width, text whatever its letter.
std::string untyped(const field_value& value) {
  if (std::holds_alternative<float>(value.value) || std::holds_alternative<double>(value.value))
    return "f" + erlang_term(value);
  return erlang_term(value);
}

std::string with_type(const field_value* value) {
  if (!value)
    return "none";
  return "the value '" + erlang_text(*value) + "' of type '" + std::string{value->type_name()} + "'";
}

/// Nothing and the void value are one in its text.
std::string without_type(const field_value& value) {
  return std::holds_alternative<std::monostate>(value.value) ? "none" : quoted(erlang_text(value));
}

bool says_classic(std::string_view argument, const field_value* value) {
  const auto* text = value ? value->as_string() : nullptr;
  return argument == "x-queue-type" && text && *text == "classic";
}

expected<void> check_same_argument(std::string_view name, const std::string& thing, const field_table& current,
                                   const field_table& wanted) {
  const auto* held = current.find(name);
  const auto* asked = wanted.find(name);
  if (!held && !asked)
    return {};
  if (!held || !asked) {
    if (says_classic(name, held ? held : asked)) // what a queue is without the argument
      return {};
    return inequivalent(name, thing, with_type(asked), with_type(held));
  }
  if (untyped(*held) == untyped(*asked))
    return {};
  return inequivalent(name, thing, without_type(*asked), without_type(*held));
}

} // namespace

// -- exchanges ------------------------------------------------------------------------------------------------------

namespace {

constexpr std::string_view alternate_argument = "alternate-exchange";
constexpr std::string_view dead_letter_argument = "x-dead-letter-exchange";

expected<void> check_names_exchange(std::string_view argument, const field_table& arguments, const std::string& thing) {
  const auto* value = arguments.find(argument);
  if (!value || value->as_string())
    return {};
  return precondition_failed("invalid type '" + std::string{value->type_name()} + "' for arg '" +
                             std::string{argument} + "' in " + thing);
}

} // namespace

expected<void> check_exchange_type(const exchange_spec& spec) {
  if (spec.type == delayed_type || exchange_kind_of(spec.type))
    return {};
  // RabbitMQ says "invalid" of the empty one: it is a word of Erlang's.
  return command_invalid((spec.type.empty() ? "invalid exchange type '" : "unknown exchange type '") + spec.type + "'");
}

expected<void> check_new_exchange(const exchange_spec& spec, std::string_view vhost) {
  if (auto good = check_names_exchange(alternate_argument, spec.arguments, named("exchange", spec.name, vhost)); !good)
    return good;
  if (spec.type == delayed_type) {
    const auto type = routing_type(spec);
    if (type.empty() || type == delayed_type)
      return precondition_failed("Invalid argument, 'x-delayed-type' must be an existing exchange type");
    if (!exchange_kind_of(type))
      return command_invalid("unknown exchange type '" + std::string{type} + "'");
  }
  return exchange_kind_of(routing_type(spec)) == exchange_kind::hash ? hash_input::check(spec.arguments)
                                                                     : expected<void>{};
}

expected<void> check_new_binding(const exchange_spec& source, const binding_spec& spec) {
  const auto kind = exchange_kind_of(routing_type(source));
  if (kind == exchange_kind::headers)
    return header_pattern::check(spec.arguments);
  if (kind == exchange_kind::hash)
    if (auto weight = hash_weight(spec.routing_key); !weight)
      return weight.error();
  return {};
}

expected<void> check_same_exchange(const exchange_spec& current, const exchange_spec& wanted, std::string_view vhost) {
  const auto thing = named("exchange", current.name, vhost);
  if (current.type != wanted.type)
    return inequivalent("type", thing, quoted(wanted.type), quoted(current.type));
  if (auto same = check_same_flag("durable", thing, current.durable, wanted.durable); !same)
    return same;
  if (auto same = check_same_flag("auto_delete", thing, current.auto_delete, wanted.auto_delete); !same)
    return same;
  if (auto same = check_same_flag("internal", thing, current.internal, wanted.internal); !same)
    return same;
  return check_same_argument(alternate_argument, thing, current.arguments, wanted.arguments);
}

// -- arguments of queues --------------------------------------------------------------------------------------------

namespace {

/// What is wrong with a value, as the Erlang term that ends the text; empty if nothing is.
using complaint = std::string;

complaint unacceptable_type(const field_value& value) {
  return "{unacceptable_type," + std::string{value.type_name()} + "}";
}

complaint about(std::string_view what, const field_value& value) {
  return "{" + std::string{what} + "," + erlang_term(value) + "}";
}

/// Any integer; those over 2^63-1 count as that.
std::optional<std::int64_t> integer_of(const field_value& value) {
  if (std::holds_alternative<std::uint64_t>(value.value))
    return value.as_integer().value_or(std::numeric_limits<std::int64_t>::max());
  return value.as_integer();
}

complaint no_integer(const field_value& value) {
  return erlang_string("expected integer, got " + std::string{value.type_name()});
}

complaint check_not_negative(const field_value& value, const field_table&) {
  const auto number = integer_of(value);
  if (!number)
    return no_integer(value);
  return *number < 0 ? about("value_negative", value) : "";
}

complaint check_milliseconds(const field_value& value, const field_table& all) {
  if (auto wrong = check_not_negative(value, all); !wrong.empty())
    return wrong;
  return *integer_of(value) > ten_years_ms ? about("value_too_large", value) : "";
}

complaint check_positive_time(const field_value& value, const field_table& all) {
  return integer_of(value) == 0 ? about("value_zero", value) : check_milliseconds(value, all);
}

complaint check_count(const field_value& value, const field_table& all) {
  return integer_of(value) == 0 ? about("value_zero", value) : check_not_negative(value, all);
}

complaint check_multiplier(const field_value& value, const field_table&) {
  const auto number = value.as_number();
  if (!number)
    return unacceptable_type(value);
  return *number >= 1 ? "" : about("value_below_one", value); // not a number is none either
}

complaint check_priorities(const field_value& value, const field_table& all) {
  if (auto wrong = check_not_negative(value, all); !wrong.empty())
    return wrong;
  return *integer_of(value) > 255 ? about("max_value_exceeded", value) : "";
}

complaint check_version(const field_value& value, const field_table& all) {
  if (auto wrong = check_not_negative(value, all); !wrong.empty())
    return wrong;
  const auto number = *integer_of(value);
  return number == 1 || number == 2 ? "" : erlang_string("unsupported queue version '" + erlang_term(value) + "'");
}

complaint check_text(const field_value& value, const field_table&) {
  return value.as_string() ? "" : unacceptable_type(value);
}

complaint check_flag(const field_value& value, const field_table&) {
  return value.as_bool() ? "" : unacceptable_type(value);
}

complaint check_dead_letter_key(const field_value& value, const field_table& all) {
  if (!value.as_string())
    return unacceptable_type(value);
  return all.find(dead_letter_argument) ? "" : "routing_key_but_no_dlx_defined";
}

/// `otherwise` if the text is none of the words.
complaint check_word(const field_value& value, std::initializer_list<std::string_view> words, complaint otherwise) {
  const auto* text = value.as_string();
  if (!text)
    return unacceptable_type(value);
  return std::find(words.begin(), words.end(), *text) != words.end() ? "" : otherwise;
}

complaint check_overflow(const field_value& value, const field_table&) {
  return check_word(value, {"drop-head", "reject-publish", "reject-publish-dlx"}, "invalid_overflow");
}

complaint check_strategy(const field_value& value, const field_table&) {
  return check_word(value, {"at-most-once", "at-least-once"}, "invalid_dlx_strategy");
}

complaint check_locator(const field_value& value, const field_table&) {
  return check_word(value, {"client-local", "balanced", "random", "least-leaders"}, "invalid_queue_locator_arg");
}

complaint check_mode(const field_value& value, const field_table&) {
  return check_word(value, {"default", "lazy"}, erlang_string("unsupported queue mode '" + erlang_text(value) + "'"));
}

complaint check_type(const field_value& value, const field_table&) {
  return check_word(value, {"classic", "quorum", "stream"},
                    erlang_string("unsupported queue type '" + erlang_text(value) + "'"));
}

complaint check_age(const field_value& value, const field_table&) {
  const auto* text = value.as_string();
  if (!text)
    return unacceptable_type(value);
  std::uint64_t number = 0;
  const auto* end = text->data() + text->size();
  const auto [unit, problem] = std::from_chars(text->data(), end, number);
  const bool good = problem == std::errc{} && number > 0 && end - unit == 1 &&
                    std::string_view{"YMDhms"}.find(*unit) != std::string_view::npos;
  return good ? "" : "invalid_max_age";
}

struct argument_rule {
  std::string_view name;
  complaint (*check)(const field_value& value, const field_table& all);
};

constexpr std::string_view type_argument = "x-queue-type";
constexpr std::string_view segment_argument = "x-stream-max-segment-size-bytes";

/// In the order in which RabbitMQ looks at them; x-retry-… and those behind it are ours.
constexpr argument_rule rules[] = {
    {"x-expires", check_positive_time},
    {"x-message-ttl", check_milliseconds},
    {dead_letter_argument, check_text},
    {"x-dead-letter-routing-key", check_dead_letter_key},
    {"x-dead-letter-strategy", check_strategy},
    {"x-max-length", check_not_negative},
    {"x-max-length-bytes", check_not_negative},
    {"x-max-in-memory-length", check_not_negative},
    {"x-max-in-memory-bytes", check_not_negative},
    {"x-max-priority", check_priorities},
    {"x-overflow", check_overflow},
    {"x-queue-mode", check_mode},
    {"x-queue-version", check_version},
    {"x-single-active-consumer", check_flag},
    {"x-quorum-initial-group-size", check_count},
    {"x-retry-min", check_positive_time},
    {"x-retry-max", check_positive_time},
    {"x-retry-multiplier", check_multiplier},
    {"x-retry-limit", check_count},
    {"x-group-by", check_text},
    {"x-deduplicate-window", check_positive_time},
    {"x-max-age", check_age},
    {segment_argument, check_not_negative},
    {"x-initial-cluster-size", check_count},
    {"x-queue-leader-locator", check_locator},
};

/// A type of queue and the arguments that belong to it, in the order in which a redeclaration compares them.
struct queue_type {
  std::string_view word;   ///< in x-queue-type
  std::string_view module; ///< in texts
  bool needs_durable;      ///< also not exclusive, not auto-delete, and with a name of the client's
  std::span<const std::string_view> arguments;
};

constexpr std::string_view classic_arguments[] = {
    "x-expires",
    "x-message-ttl",
    dead_letter_argument,
    "x-dead-letter-routing-key",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-overflow",
    "x-queue-mode",
    "x-queue-version",
    "x-single-active-consumer",
    type_argument,
    "x-queue-master-locator",
    "x-retry-min",
    "x-retry-max",
    "x-retry-multiplier",
    "x-retry-limit",
    "x-group-by",
    "x-deduplicate-window",
};
constexpr std::string_view quorum_arguments[] = {
    dead_letter_argument,
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-overflow",
    "x-single-active-consumer",
    type_argument,
    "x-quorum-initial-group-size",
    "x-delivery-limit",
    "x-message-ttl",
    "x-queue-leader-locator",
    "x-retry-min",
    "x-retry-max",
    "x-retry-multiplier",
    "x-retry-limit",
    "x-group-by",
    "x-deduplicate-window",
};
constexpr std::string_view stream_arguments[] = {
    "x-max-length-bytes",     type_argument, "x-max-age", segment_argument, "x-initial-cluster-size",
    "x-queue-leader-locator",
};
constexpr queue_type types[] = {
    {"classic", "rabbit_classic_queue", false, classic_arguments},
    {"quorum", "rabbit_quorum_queue", true, quorum_arguments},
    {"stream", "rabbit_stream_queue", true, stream_arguments},
};

/// Classic if the argument is missing or no type's word.
const queue_type& type_of(const field_table& arguments) {
  const auto word = arguments.text(type_argument);
  for (const auto& each : types)
    if (word == each.word)
      return each;
  return types[0];
}

bool belongs(const queue_type& type, std::string_view argument) {
  return std::find(type.arguments.begin(), type.arguments.end(), argument) != type.arguments.end();
}

expected<void> check_argument(const argument_rule& rule, const queue_spec& spec, const std::string& thing) {
  const auto* value = spec.arguments.find(rule.name);
  if (!value)
    return {};
  const auto wrong = rule.check(*value, spec.arguments);
  if (wrong.empty())
    return {};
  return precondition_failed("invalid arg '" + std::string{rule.name} + "' for " + thing + ": " + wrong);
}

/// Arguments of another type of queue are refused; those that no type knows are kept and ignored.
expected<void> check_foreign_arguments(const queue_type& type, const queue_spec& spec, const std::string& thing) {
  for (const auto& [name, value] : spec.arguments.fields()) {
    const bool known = std::any_of(std::begin(types), std::end(types),
                                   [&, &argument = name](const queue_type& each) { return belongs(each, argument); });
    if (known && !belongs(type, name))
      return precondition_failed("invalid arg '" + name + "' for " + thing + " of queue type " +
                                 std::string{type.module});
  }
  return {};
}

expected<void> check_arguments(const queue_type& type, const queue_spec& spec, const std::string& thing) {
  if (auto known = check_argument({type_argument, check_type}, spec, thing); !known)
    return known;
  for (const auto& rule : rules)
    if (belongs(type, rule.name))
      if (auto good = check_argument(rule, spec, thing); !good)
        return good;
  return check_foreign_arguments(type, spec, thing);
}

expected<void> check_properties(const queue_type& type, const queue_spec& spec, const std::string& thing) {
  constexpr std::int64_t segment_bytes_max = 3'000'000'000;
  if (!type.needs_durable)
    return {};
  if (spec.auto_delete)
    return precondition_failed("invalid property 'auto-delete' for " + thing);
  if (spec.exclusive)
    return precondition_failed("invalid property 'exclusive-owner' for " + thing);
  if (!spec.durable)
    return precondition_failed("invalid property 'non-durable' for " + thing);
  if (const auto* value = spec.arguments.find(segment_argument); value && integer_of(*value) > segment_bytes_max)
    return precondition_failed("Exceeded max value for x-stream-max-segment-size-bytes");
  return {};
}

} // namespace

// -- queues ---------------------------------------------------------------------------------------------------------

expected<void> check_server_named(const queue_spec& spec) {
  const auto& type = type_of(spec.arguments);
  if (!type.needs_durable)
    return {};
  return precondition_failed("Cannot declare a server-named queue for type " + std::string{type.module});
}

expected<void> check_new_queue(const queue_spec& spec, std::string_view vhost) {
  const auto thing = named("queue", spec.name, vhost);
  const auto& type = type_of(spec.arguments);
  if (auto good = check_names_exchange(dead_letter_argument, spec.arguments, thing); !good)
    return good;
  if (auto good = check_arguments(type, spec, thing); !good)
    return good;
  return check_properties(type, spec, thing);
}

expected<void> check_deletable(const queue_spec& spec, bool if_unused, bool if_empty, std::string_view vhost) {
  if (type_of(spec.arguments).word != "quorum" || (!if_unused && !if_empty))
    return {};
  return not_implemented("cannot delete " + named("queue", spec.name, vhost) + ". queue.delete operations with " +
                         (if_unused ? "if-unused" : "if-empty") + " flag set are not supported by quorum queues");
}

expected<void> check_same_queue(const queue_spec& current, const queue_spec& wanted, std::string_view vhost) {
  const auto thing = named("queue", current.name, vhost);
  if (auto same = check_same_flag("durable", thing, current.durable, wanted.durable); !same)
    return same;
  if (auto same = check_same_flag("auto_delete", thing, current.auto_delete, wanted.auto_delete); !same)
    return same;
  for (const auto argument : type_of(current.arguments).arguments)
    if (auto same = check_same_argument(argument, thing, current.arguments, wanted.arguments); !same)
      return same;
  return {};
}

} // namespace switchboard::broker
