// A webhook: where a customer wants which of his events delivered, and how that fares. The deliveries themselves are
// bridges/webhook's: it asks for the target, and reports when a target begins or ceases to take deliveries.
#pragma once

#include <string>
#include <vector>

#include "actors/webhook/webhook_rules.hpp"
#include "sdk/entity.hpp"

namespace switchboard::telephony {

struct webhook {
  std::string id;
  std::string customer_id;
  std::string name;
  std::string uri;
  std::string secret; ///< signs the deliveries; shown to the bridge alone
  std::vector<std::string> event_types{"*"};
  bool enabled = true;
  webhook_status status = webhook_status::unknown;
  std::string last_error;        ///< of the last failure reported; stays after it is over
  std::int64_t dead_letters = 0; ///< deliveries given up
  time_point status_since{};
  time_point created{};
  time_point updated{};
};

const sdk::entity_type<webhook>& webhook_type();

} // namespace switchboard::telephony
