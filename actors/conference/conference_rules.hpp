// When a conference ends. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace switchboard::telephony {

enum class conference_kind {
  conference, ///< a meeting: goes on until the last one leaves
  connect,    ///< two parties: over when one is left
  queue,      ///< a caller and an agent: as connect, made by a queue
};
constexpr std::array<std::string_view, 3> names_of(conference_kind) { return {"conference", "connect", "queue"}; }

enum class conference_status {
  progressing, ///< calls may join
  terminating, ///< everybody is being hung up
  terminated,  ///< over; only kept to be looked at
};
constexpr std::array<std::string_view, 3> names_of(conference_status) {
  return {"progressing", "terminating", "terminated"};
}

enum class participant_status {
  joining, ///< its call was asked to come in
  joined,  ///< it is in
  leaving, ///< its call is being hung up
};
constexpr std::array<std::string_view, 3> names_of(participant_status) { return {"joining", "joined", "leaving"}; }

/// True if a conference goes to its end now that somebody is out of it. `was_in`: that one had joined; `used`: anybody
/// ever had; `left`: who remains, whether in or on the way. Somebody who never came in ends nothing but an empty room.
constexpr bool ends_after(conference_kind kind, bool was_in, bool used, std::size_t left) noexcept {
  return kind == conference_kind::conference || !was_in ? used && left == 0 : left <= 1;
}

} // namespace switchboard::telephony
