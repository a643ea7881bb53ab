// Client connections that are open, for the limits of users and vhosts and for whoever administers: who they are, what
// their channels hold, and how to end one. Bridges enter theirs; the list knows nothing of protocols. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <caf/actor.hpp>
#include <caf/actor_addr.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include "base/expected.hpp"
#include "base/time.hpp"
#include "messages/field_table.hpp"

namespace switchboard::runtime {

/// What is known of a connection once it is open.
struct connection_facts {
  std::string name; ///< "127.0.0.1:50000 -> 127.0.0.1:5672"
  std::string protocol;
  std::string user;
  std::string vhost;
  std::string mechanism; ///< of its login
  std::string peer_host, host;
  std::uint16_t peer_port = 0, port = 0;
  bool tls = false;
  std::uint16_t channel_max = 0;
  std::uint32_t frame_max_bytes = 0;
  std::uint16_t heartbeat_s = 0;
  time_point connected{};
  field_table client_properties;
};

/// The session writes the counters, anybody reads them.
struct connection_card {
  connection_facts facts;
  caf::actor_addr session; ///< weak: the session holds its card
  std::atomic<std::uint64_t> received_bytes{0};
  std::atomic<std::uint64_t> sent_bytes{0};
  std::atomic<std::uint32_t> channels{0};
};

/// To a session: end the connection, as the protocol has it.
struct close_connection {
  std::string reason;
};
/// To a session: the node's alarms are others than they were (broker/alarms.hpp).
struct alarms_changed {};
/// To a session: say what its channels hold. Response: connection_report.
struct describe_connection {};
struct consumer_report {
  std::string tag, queue;
  bool no_ack = false, exclusive = false;
  std::uint32_t prefetch = 0;
};
struct channel_report {
  std::uint16_t number = 0;
  bool confirms = false, transactional = false;
  std::uint32_t prefetch = 0, prefetch_global = 0;
  std::uint64_t unacknowledged = 0, unconfirmed = 0, uncommitted = 0;
  std::vector<consumer_report> consumers;
};
struct connection_report {
  std::vector<channel_report> channels;
};

class connections {
public:
  /// Most connections that may be open at once, with this one; empty: no limit.
  struct bounds {
    std::optional<std::int64_t> vhost, user;
  };
  enum class refusal : std::uint8_t { none, vhost_limit, user_limit };

  /// The connection is listed as long as the card lives; null if a limit forbids it, and `why` says which.
  std::shared_ptr<connection_card> enter(connection_facts facts, caf::actor session, bounds most, refusal& why);
  std::vector<std::shared_ptr<connection_card>> list() const;
  std::shared_ptr<connection_card> find(std::string_view name) const;
  /// Open channels of all connections of that user.
  std::uint64_t channels_of(std::string_view user) const;
  void tell_alarms_changed() const;
  /// Ends all of which `which` is true.
  void close_if(const std::function<bool(const connection_facts&)>& which, const std::string& reason) const;

private:
  /// Shared with the cards, which may outlive the list.
  struct table {
    mutable std::mutex mutex;
    std::map<std::string, std::weak_ptr<connection_card>, std::less<>> cards; ///< by name
    std::map<std::string, std::int64_t, std::less<>> by_vhost, by_user;
  };
  std::shared_ptr<table> table_ = std::make_shared<table>();
};

} // namespace switchboard::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::close_connection)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::alarms_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::describe_connection)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::connection_report)
