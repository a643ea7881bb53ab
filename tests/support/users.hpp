// Users for tests that log in to a node without configuration.
#pragma once

#include <stdexcept>

#include "broker/virtual_hosts.hpp"

namespace switchboard::test {

/// The user every RabbitMQ client begins with: may do everything in "/".
inline void add_guest(broker::virtual_hosts& where) {
  const auto made = where.access().change([](broker::access_rules& now) {
    auto changes = now.put_user("guest", broker::hash_password("guest"), {"administrator"});
    return changes ? now.set_permission("guest", "/", ".*", ".*", ".*") : changes;
  });
  if (!made)
    throw std::runtime_error{made.error().what};
}

} // namespace switchboard::test
