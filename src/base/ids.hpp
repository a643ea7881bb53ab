// Identities. UUIDs (RFC 9562) are made from the operating system's randomness: of messages and events version 4, as
// seed 000 has it, of entities version 7. Each kind of resource has its own type, so that a call can't be passed where
// an agent is meant.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "base/time.hpp"

namespace switchboard {

/// A fresh UUID v4 in lower-case text. Thread-safe.
std::string make_uuid();

/// A fresh UUID v7: begins with the time, so what is made one after another stands together wherever ids are sorted. A
/// store of calls that each have a random place writes twice the pages. 74 bits are random. Thread-safe.
std::string make_ordered_uuid(time_point now);

/// True for 8-4-4-4-12 hexadecimal digits of any version, either case.
bool is_uuid(std::string_view text) noexcept;

/// An identity as text. Foreign systems may use other forms than UUID (seed 000 prints "call-789"), so any text of
/// 1..128 visible ASCII characters without ':' '*' '#' and '/' is accepted; those four have a meaning in topics and
/// routes.
bool is_identity(std::string_view text) noexcept;

template <class Tag>
class identity {
public:
  identity() = default;
  static expected<identity> from(std::string_view text) {
    if (!is_identity(text))
      return {errc::bad_format, "not an identity: 1..128 visible ASCII characters without : * # /"};
    return identity{std::string{text}};
  }

  const std::string& str() const noexcept { return text_; }
  bool empty() const noexcept { return text_.empty(); }
  friend auto operator<=>(const identity&, const identity&) = default;

private:
  explicit identity(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

using customer_id = identity<struct customer_tag>;
using call_id = identity<struct call_tag>;
using conference_id = identity<struct conference_tag>;
using agent_id = identity<struct agent_tag>;
using queue_id = identity<struct queue_tag>;
using message_id = identity<struct message_tag>;
using event_id = identity<struct event_tag>;

} // namespace switchboard

template <class Tag>
struct std::hash<switchboard::identity<Tag>> {
  std::size_t operator()(const switchboard::identity<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.str());
  }
};
