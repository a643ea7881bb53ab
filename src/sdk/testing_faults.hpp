// Which faults the test kit plays, and how often: chances from 0 to 1, thrown with the world's seeded dice.
//
// What a node guarantees is less than all of these. Messages between entities are exactly-once and in order per pair,
// but may be late: the receiver's host, or the node, was down. Timers fire once, perhaps late. Subscribed events come
// once and in order, perhaps long after a message of the same sender. A decision may fail and is tried again. That is
// node_faults(). What comes from outside – a trunk's reports, another system's events – may also be lost, doubled and
// reordered: outside_faults(). Any other combination is the test's own choice.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>

#include "sdk/testing_values.hpp"

namespace switchboard::sdk::test_kit {

struct chances {
  double lost = 0;
  double doubled = 0;
  double late = 0;      ///< by up to late_max; what the same pair sends after it waits behind it
  double reordered = 0; ///< overtakes others, also those of its own pair
  milliseconds late_max = std::chrono::seconds{5};
};

struct faults {
  chances messages; ///< between entities
  chances events;   ///< for those who subscribed
  chances timers;   ///< only `late` counts
  chances outside;  ///< messages and events from or to outside_types
  std::set<std::string, std::less<>> outside_types;
  double crash = 0; ///< of a decision: nothing of it happens, and it is tried again as after an exception

  const chances& of(const delivery& one) const {
    if (one.kind == message_kind::timer)
      return timers;
    if (outside_types.contains(one.from.type) || outside_types.contains(one.to.type))
      return outside;
    return one.kind == message_kind::event ? events : messages;
  }
};

/// What happens to entities on a real node.
inline faults node_faults(double chance) {
  faults made;
  made.messages.late = made.events.late = made.timers.late = made.crash = chance;
  return made;
}

/// The same, and whatever goes between `types` and the others may be lost, doubled, late and reordered.
inline faults outside_faults(double chance, std::initializer_list<std::string_view> types) {
  auto made = node_faults(chance);
  made.outside = {chance, chance, chance, chance};
  made.outside_types.insert(types.begin(), types.end());
  return made;
}

} // namespace switchboard::sdk::test_kit
