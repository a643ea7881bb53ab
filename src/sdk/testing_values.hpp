// What the test kit hands out: answers, events, deliveries and dead letters as plain values.
#pragma once

#include <string>

#include "sdk/message.hpp"
#include "sdk/outcome.hpp"

namespace switchboard::sdk::test_kit {

struct answer {
  int status = 0; ///< 0: none came
  json body;
  std::string reason; ///< of a refusal
  std::string text;
};

struct seen_event {
  time_point at{};
  std::string type;
  std::string customer_id;
  std::string resource_id;
  json data;
};

/// Everything but requests waits in one of these until step().
struct delivery {
  message_kind kind = message_kind::message;
  entity_ref from;
  entity_ref to;
  std::string name;
  std::string body;
  std::string customer_id;
  bool may_create = true; ///< false: an event for an entity that must exist; it is dropped if there is none
  unsigned attempt = 1;   ///< rises with each failed decision
};

/// What failed for good, and why it did the first time.
struct dead_letter {
  delivery what;
  std::string why;
};

} // namespace switchboard::sdk::test_kit
