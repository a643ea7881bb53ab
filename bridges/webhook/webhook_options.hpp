// What can be set about the delivery of webhooks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "broker/retry.hpp"

namespace switchboard::webhook {

struct options {
  /// Resources whose events customers may have delivered: their exchanges are `<resource>.events`.
  std::vector<std::string> sources;
  std::uint32_t deliveries_max = 256;  ///< attempts under way at once, over all targets; one for each webhook
  milliseconds timeout{10'000};        ///< of one attempt, from looking up the name to the end of the answer
  broker::retry_rules retry{};         ///< the seed's schedule
  std::uint64_t backlog_max = 100'000; ///< deliveries waiting for one webhook; older ones become dead letters
  bool private_addresses = false;      ///< targets may be in private networks
  std::string ca_file;                 ///< PEM; empty: the system's
};

} // namespace switchboard::webhook
