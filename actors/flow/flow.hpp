// A flow: a list of actions under a name, to be run against calls (activeflow.hpp).
#pragma once

#include <string>
#include <vector>

#include "actors/flow/flow_actions.hpp"
#include "sdk/entity.hpp"

namespace switchboard::telephony {

struct flow {
  std::string id;
  std::string customer_id;
  std::string name;
  std::string detail;
  std::vector<action> actions;
  time_point created{};
  time_point updated{};
};

const sdk::entity_type<flow>& flow_type();

} // namespace switchboard::telephony
