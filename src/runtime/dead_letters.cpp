#include "runtime/dead_letters.hpp"

#include "broker/death.hpp"
#include "broker/retry.hpp"
#include "messages/json_object.hpp"
#include "messages/properties.hpp"

namespace switchboard::runtime {

namespace {

constexpr std::size_t error_bytes_max = 1000; // of a header

/// From the envelope's headers: the id within W3C's traceparent, or a trace_id as the seed's page shows one.
std::string trace_of(const std::string& headers) {
  const auto read = json::parse(headers, nullptr, /*allow_exceptions*/ false);
  if (!read.is_object())
    return {};
  const auto text = [&](const char* name) {
    const auto found = read.find(name);
    return found != read.end() && found->is_string() ? found->get<std::string>() : std::string{};
  };
  const auto parent = text("traceparent"); // version-traceid-spanid-flags
  return parent.size() >= 35 ? parent.substr(3, 32) : text("trace_id");
}

} // namespace

std::string work_queue(std::string_view type) { return "switchboard." + std::string{type} + ".work"; }

std::string home_queue(std::string_view type, const entity_work& what) {
  return what.queue_name.empty() ? work_queue(type) : what.queue_name;
}

message_ptr make_dead_letter(const message& what, std::string_view queue, const failure& how, time_point now) {
  const auto letter = broker::make_dead_letter(what, broker::death::rejected, queue, "",
                                               how.queue.empty() ? broker::dead_letter_queue(queue) : how.queue, now,
                                               how.attempts, /*keep*/ true);
  auto properties = decode_properties(letter->properties()); // which were written a moment ago
  auto& headers = *properties->headers;
  headers.set("x-first-error", std::string_view{how.first_error}.substr(0, error_bytes_max));
  headers.set("x-last-error", std::string_view{how.last_error}.substr(0, error_bytes_max));
  if (!how.trace_id.empty())
    headers.set("x-trace-id", how.trace_id);
  headers.sort();
  if (!properties->message_id && !how.message_id.empty())
    properties->message_id = how.message_id;
  return make_message(letter->exchange(), letter->routing_key(), encode_properties(*properties), letter->body(), true);
}

message_ptr make_dead_letter(const addressed_work& what, const error& last, time_point now) {
  const auto& work = *what.work;
  return make_dead_letter(work.source ? *work.source : *make_work_message(what), home_queue(what.type, work),
                          {work.first_error.empty() ? last.what : work.first_error,
                           last.what,
                           work.attempt,
                           trace_of(work.what.headers),
                           {},
                           work.answer ? work.answer->message_id : std::string{}},
                          now);
}

message_ptr make_work_message(const addressed_work& what) {
  const auto& told = what.work->what;
  basic_properties properties;
  properties.content_type = "application/json";
  properties.delivery_mode = 2;
  properties.message_id = told.message_id;
  properties.type = told.kind == SB_TIMER ? "timer" : "message";
  return make_message("", work_queue(what.type), encode_properties(properties), encode_outbox(what), true);
}

expected<addressed_work> read_work(const message& what) {
  auto read = decode_outbox({0, 0, std::string{what.body()}});
  if (!read)
    return {errc::bad_format, read.error().what};
  const auto properties = decode_properties(what.properties());
  if (properties && properties->message_id)
    read->work->what.message_id = *properties->message_id;
  if (properties && properties->type == "timer") {
    read->work->what.kind = SB_TIMER;
    read->work->may_create = false;
  }
  return read;
}

} // namespace switchboard::runtime
