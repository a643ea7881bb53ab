// The names under which clients reach what the hosted types offer: routes, and exchanges of events. Types come and
// change while the node runs, so those who bind or route by a name look here instead of keeping a list.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <caf/actor.hpp>

#include "runtime/route_table.hpp"

namespace switchboard::runtime {

class hosted_types;

/// Thread-safe. Knows nothing until it is told.
class served_names {
public:
  /// Anew, from the versions that serve now.
  void read(const hosted_types& types);

  /// The service whose table has that route; the one that service_of_route() names is asked first, and is the answer if
  /// nobody has it: an outside worker may. `route` with or without a query.
  std::optional<std::string> service_of(std::string_view method, std::string_view route) const;

  /// Of every hosted type, and of event_resources.
  std::vector<std::string> event_exchanges() const;

  /// Who is asked `take_types` (runtime/consumer_actor.hpp) when these names have changed, until unfollow().
  void follow(caf::actor whom);
  void unfollow(const caf::actor_addr& whom);
  std::vector<caf::actor> followers() const;

private:
  struct names {
    route_table all;
    std::map<std::string, route_table> by_service;
    std::vector<std::string> exchanges;
  };
  std::shared_ptr<const names> now() const;

  mutable std::mutex mutex_;
  std::shared_ptr<const names> names_ = std::make_shared<const names>();
  std::vector<caf::actor> followers_;
};

} // namespace switchboard::runtime
