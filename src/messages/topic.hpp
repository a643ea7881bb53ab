// The topics WebSocket clients subscribe to (seed 000): customer_id:<id>:<resource>:<resource_id>. Parsed into four
// fields that are compared byte by byte; never a prefix or a regular expression made of a client's text, since that is
// how one tenant came to read another's events elsewhere. Who may subscribe to what is not decided here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "messages/envelope.hpp"

namespace switchboard {

/// Whose events a topic selects.
enum class topic_scope {
  customer, ///< customer_id:<id>…: everything of one tenant
  agent,    ///< agent_id:<id>…: what belongs to one agent; may be wider than a tenant, see event_address
};

/// Where an event belongs; views point into the event it was taken from.
struct event_address {
  std::string_view customer_id;
  std::string_view agent_id; ///< the agent the resource is or belongs to; empty if none
  std::string_view resource_type;
  std::string_view resource_id;
  std::vector<std::string_view> more_agents{}; ///< who else it belongs to: a chat is its participants'
};

/// The agent is the resource itself, else data's agent_id, else data's owner_id when owner_type is "agent"; those in
/// data's agent_ids come on top.
event_address address_of(const event& value);

inline constexpr std::size_t topic_bytes_max = 512;

/// One parsed subscription. A missing resource or resource_id selects all of them.
struct topic_pattern {
  topic_scope scope = topic_scope::customer;
  std::string owner; ///< the customer's or the agent's id, never empty, never a wildcard
  std::optional<std::string> resource;
  std::optional<std::string> resource_id;

  /// Reads 2, 3 or 4 fields: "customer_id:1", "customer_id:1:call", "customer_id:1:call:call-7"; `*` stands for a whole
  /// third or fourth field. errc::bad_format says which rule was broken.
  static expected<topic_pattern> parse(std::string_view text);

  /// The shortest topic that selects the same: "customer_id:1:call:*" comes back as "customer_id:1:call".
  std::string str() const;

  /// True if an event of that place is selected. An agent's topic says nothing about the tenant: the caller compares
  /// the event's customer with the subscriber's own as well.
  bool matches(const event_address& at) const noexcept;

  /// The same for a topic of a customer; false for a topic of an agent.
  bool matches(std::string_view customer_id, std::string_view resource_type, std::string_view id) const noexcept;

  friend bool operator==(const topic_pattern&, const topic_pattern&) = default;
};

} // namespace switchboard
