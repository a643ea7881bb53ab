#include "runtime/entity_instance.hpp"

#include <exception>

#include "base/ids.hpp"
#include "messages/envelope.hpp"
#include "runtime/json_check.hpp"

namespace switchboard::runtime {

namespace {

/// At least what an envelope has besides its body or data.
constexpr std::size_t envelope_head_bytes = 4096;

sb_bytes borrow(std::string_view text) noexcept { return {text.data(), text.size()}; }
std::string own(sb_bytes bytes) { return bytes.size ? std::string{bytes.data, bytes.size} : std::string{}; }

/// The far side of sb_outcome: plugins call these while they decide.
struct collector {
  decision made;
  std::size_t replies = 0;
  std::string failure;
  errc failed_as = errc::internal;

  static collector& of(void* self) noexcept { return *static_cast<collector*>(self); }
  static void reply(void* self, int status, sb_bytes body) {
    ++of(self).replies;
    of(self).made.reply = {status, own(body), {}, {}};
  }
  static void refuse(void* self, int status, sb_bytes reason, sb_bytes text) {
    ++of(self).replies;
    of(self).made.reply = {status, {}, reason.size ? own(reason) : "REFUSED", own(text)};
  }
  static void state(void* self, std::uint32_t version, sb_bytes customer_id, sb_bytes bytes) {
    of(self).made.state = {version, own(customer_id), own(bytes)};
  }
  static void end(void* self) { of(self).made.ended = true; }
  static void event(void* self, sb_bytes type, sb_bytes customer_id, sb_bytes resource_id, sb_bytes data) {
    of(self).made.events.push_back({own(type), own(customer_id), own(resource_id), own(data)});
  }
  static void send(void* self, sb_bytes to_type, sb_bytes to_id, sb_bytes name, sb_bytes body) {
    of(self).made.sends.push_back({own(to_type), own(to_id), own(name), own(body)});
  }
  static void arm_timer(void* self, sb_bytes name, std::int64_t delay_ms, sb_bytes payload) {
    of(self).made.timers.push_back({own(name), milliseconds{delay_ms > 0 ? delay_ms : 0}, own(payload)});
  }
  static void cancel_timer(void* self, sb_bytes name) { of(self).made.timers.push_back({own(name), {}, {}}); }
  static void fail(void* self, sb_bytes text) { of(self).failure = own(text); }
  static void fail_as(void* self, std::int32_t kind, sb_bytes text) {
    fail(self, text);
    of(self).failed_as = kind == SB_TRANSIENT   ? errc::unavailable
                         : kind == SB_PERMANENT ? errc::bad_format
                                                : errc::internal;
  }

  sb_outcome table() noexcept {
    return {sizeof(sb_outcome), this,          &reply, &refuse, &state, &end, &event, &send,
            &arm_timer,         &cancel_timer, &fail,  &fail_as};
  }
};

sb_sink sink_into(std::string& text) noexcept {
  return {&text, [](void* self, sb_bytes part) { static_cast<std::string*>(self)->append(part.data, part.size); }};
}

sb_message borrow(const entity_message& from) noexcept {
  return {
      sizeof(sb_message), from.kind,          borrow(from.message_id), borrow(from.customer_id), borrow(from.name),
      borrow(from.route), borrow(from.query), borrow(from.from_type),  borrow(from.from_id),     borrow(from.headers),
      borrow(from.body)};
}

/// Runs plugin code. The ABI forbids exceptions, but a plugin that breaks the rule must not take the node along.
template <class Call>
auto guarded(Call&& call) -> expected<decltype(call())> {
  try {
    return call();
  } catch (const std::exception& thrown) {
    return {errc::internal, std::string{"exception: "} + thrown.what()};
  } catch (...) {
    return {errc::internal, "exception of an unknown type"};
  }
}

} // namespace

void entity_instance::closer::operator()(void* instance) const noexcept {
  static_cast<void>(guarded([&] { return type->close(instance), 0; }));
}

expected<entity_instance> entity_instance::open(const sb_entity_type& type, std::string_view state,
                                                std::uint32_t version) {
  std::string reason;
  auto sink = sink_into(reason);
  auto opened = guarded([&] { return type.open(borrow(state), version, &sink); });
  if (!opened)
    return opened.error();
  if (!*opened)
    return {errc::internal, reason.empty() ? "the state can't be opened" : reason};
  return entity_instance{type, *opened};
}

expected<decision> entity_instance::decide(const entity_message& what, std::string_view entity_id, time_point now,
                                           std::uint64_t random, std::string_view settings) {
  collector into;
  auto outcome = into.table();
  const auto message = borrow(what);
  const sb_context context{sizeof(sb_context), borrow(entity_id), now.time_since_epoch().count(), random,
                           borrow(settings)};
  const auto failed = guarded([&] { return type().decide(instance_.get(), &message, &context, &outcome); });
  if (!failed)
    return failed.error();
  if (*failed != 0)
    return {into.failed_as, into.failure.empty() ? "the decision failed without a reason" : into.failure};
  if (const std::size_t due = what.kind == SB_REQUEST ? 1 : 0; into.replies != due)
    return {errc::internal, what.name + " was answered " + std::to_string(into.replies) + " times"};
  if (auto good = check_decision(into.made); !good)
    return good.error();
  return std::move(into.made);
}

expected<std::string> entity_instance::view() {
  std::string text;
  auto sink = sink_into(text);
  auto done = guarded([&] { return type().view(instance_.get(), &sink), 0; });
  if (!done)
    return done.error();
  return text;
}

expected<std::string> downgrade_state(const sb_entity_type& type, std::string_view state, std::uint32_t version,
                                      std::uint32_t older) {
  std::string text;
  auto sink = sink_into(text);
  const auto failed = guarded([&] { return type.downgrade(borrow(state), version, older, &sink); });
  if (!failed)
    return failed.error();
  if (*failed != 0 || text.empty())
    return {errc::internal, text.empty() ? "the state can't be downgraded" : text};
  return text;
}

expected<void> check_decision(const decision& made) {
  // With the envelope around it, it must be within the limits of whoever reads that.
  const auto is_json = [](const std::string& text) {
    return text.empty() || is_json_quickly(text, envelope_bytes_max - envelope_head_bytes, envelope_depth_max - 1);
  };
  if (made.reply && !is_json(made.reply->body))
    return {errc::internal, "the reply's body is not JSON within the limits"};
  if (made.reply && (made.reply->status < 100 || made.reply->status > 599))
    return {errc::internal, "the reply's status " + std::to_string(made.reply->status) + " is none of HTTP's"};
  if (made.state && made.state->bytes.empty())
    return {errc::internal, "an empty state"}; // open() could not tell it from a new entity
  if (made.state && made.state->bytes.size() > state_bytes_max)
    return {errc::internal, "a state of " + std::to_string(made.state->bytes.size()) + " bytes is over " +
                                std::to_string(state_bytes_max)};
  if (made.events.size() + made.sends.size() + made.timers.size() > effects_max)
    return {errc::internal, "more than " + std::to_string(effects_max) + " events, messages and timers"};
  for (const auto& event : made.events)
    if (event.type.find('.') == std::string::npos || event.type.size() > 128 || !is_json(event.data))
      return {errc::internal, "the event '" + event.type + "' has no proper type or data"};
  for (const auto& send : made.sends)
    if (!is_identity(send.to_type) || !is_identity(send.to_id) || !is_json(send.body))
      return {errc::internal, "the message '" + send.name + "' has no proper address or body"};
  for (const auto& timer : made.timers)
    if (timer.name.empty() || timer.name.size() > 128 || !is_json(timer.payload))
      return {errc::internal, "the timer '" + timer.name + "' has no proper name or payload"};
  return {};
}

} // namespace switchboard::runtime
