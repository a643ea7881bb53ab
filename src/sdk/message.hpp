// What a decision is given: the message and its context. Plain values; the only clock and the only randomness there
// are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "messages/envelope.hpp"
#include "sdk/abi.h"
#include "sdk/entity_ref.hpp"
#include "sdk/route.hpp"

namespace switchboard::sdk {

enum class message_kind {
  request = SB_REQUEST, ///< an RPC; name is the method
  event = SB_EVENT,     ///< a fact this entity subscribed to; name is its type
  message = SB_MESSAGE, ///< from another entity
  timer = SB_TIMER,     ///< armed by this entity; name as armed
};

/// One message for an entity. Not for sharing between threads: the body is parsed on first use.
class message {
public:
  message_kind kind = message_kind::message;
  std::string id;          ///< unique; repeats never get here
  std::string customer_id; ///< tenant of the sender; empty: an inside caller
  std::string name;
  std::string route; ///< of a request, without query
  std::string query;
  std::string from_type; ///< who sent or announced it
  std::string from_id;
  std::string headers_text; ///< JSON object or empty
  std::string body_text;    ///< JSON or empty
  path_parameters path;     ///< of a request: filled from the pattern that matched

  /// The body within the limits of parse_json; null if there is none, an error if it can't be read.
  const expected<json>& body() const {
    if (!body_)
      body_ = std::make_shared<expected<json>>(body_text.empty() ? expected<json>{json{}} : parse_json(body_text));
    return *body_;
  }

  /// Where an answer to a message goes.
  entity_ref sender() const { return {from_type, from_id}; }

  /// What {name} of the route stood for; empty if the pattern has none of that name.
  std::string path_parameter(std::string_view name_in_pattern) const {
    const auto found =
        std::find_if(path.begin(), path.end(), [&](const auto& p) { return p.first == name_in_pattern; });
    return found == path.end() ? std::string{} : found->second;
  }

  std::string query_parameter(std::string_view wanted) const { return sdk::query_parameter(query, wanted); }

private:
  mutable std::shared_ptr<const expected<json>> body_;
};

/// Who decides, when, and with which dice.
class context {
public:
  context(std::string id, time_point now, std::uint64_t random, std::shared_ptr<const json> settings)
      : id_(std::move(id)), now_(now), dice_(random), settings_(std::move(settings)) {}

  const std::string& id() const noexcept { return id_; }
  time_point now() const noexcept { return now_; }

  /// The plugin's section of the configuration file, a JSON object.
  const json& settings() const noexcept { return *settings_; }

  /// A setting in milliseconds, e.g. `ring_ms`; `otherwise` if it is missing or not a non-negative integer.
  milliseconds setting(std::string_view name_ms, milliseconds otherwise) const {
    const auto found = settings_->find(name_ms);
    if (found == settings_->end() || !found->is_number_integer() || found->get<std::int64_t>() < 0)
      return otherwise;
    return milliseconds{found->get<std::int64_t>()};
  }

  /// Next 64 bits of a stream that the decision's one random value determines (splitmix64): a replay gets the same.
  std::uint64_t random() const noexcept {
    auto bits = (dice_ += 0x9e3779b97f4a7c15U);
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9U;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111ebU;
    return bits ^ bits >> 31;
  }

  /// A UUID v7 (RFC 9562) from the decision's time and that stream. What a later millisecond makes sorts later, so
  /// entities with such ids stand together in the store.
  std::string make_uuid() const {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto at_ms = static_cast<std::uint64_t>(now_.time_since_epoch().count());
    const std::uint64_t halves[] = {at_ms << 16 | 7ULL << 12 | (random() & 0xfff), 2ULL << 62 | random() >> 2};
    std::string made;
    for (const auto half : halves) {
      for (int shift = 60; shift >= 0; shift -= 4) {
        if (made.size() == 8 || made.size() == 13 || made.size() == 18 || made.size() == 23)
          made += '-';
        made += digits[half >> shift & 0xf];
      }
    }
    return made;
  }

private:
  std::string id_;
  time_point now_;
  mutable std::uint64_t dice_;
  std::shared_ptr<const json> settings_;
};

} // namespace switchboard::sdk
