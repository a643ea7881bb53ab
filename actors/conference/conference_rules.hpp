// When a conference ends, and what a check of its participants means. Pure.
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
  leaving, ///< its call is being hung up, or let go
};
constexpr std::array<std::string_view, 3> names_of(participant_status) { return {"joining", "joined", "leaving"}; }

/// True if a conference goes to its end now that somebody is out of it. `was_in`: that one had joined; `used`: anybody
/// ever had; `left`: who remains, whether in or on the way. Somebody who never came in ends nothing but an empty room.
constexpr bool ends_after(conference_kind kind, bool was_in, bool used, std::size_t left) noexcept {
  return kind == conference_kind::conference || !was_in ? used && left == 0 : left <= 1;
}

/// A participant whose call stays silent this often is taken out and told to hang up.
inline constexpr unsigned misses_max = 2;

enum class mend {
  nothing,  ///< all is as we have it
  take_in,  ///< it is in, and we have not heard of that
  take_out, ///< it is out, and we have not heard of that
  hang_up,  ///< it is still here though we told it to go
  invite,   ///< it was never asked, or the asking came to nothing
};

/// What the call's answer to a check means: `inside`: it says it is in; `live`: it is neither ending nor over.
constexpr mend mend_for(participant_status ours, bool inside, bool live) noexcept {
  switch (ours) {
  case participant_status::joining:
    return !live ? mend::take_out : inside ? mend::take_in : mend::invite;
  case participant_status::joined:
    return inside ? mend::nothing : mend::take_out;
  case participant_status::leaving:
    return !inside ? mend::take_out : live ? mend::hang_up : mend::nothing;
  }
  return mend::nothing;
}

} // namespace switchboard::telephony
