// The rules of a group call: its states, and what an answer or an end of one of its calls means. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace switchboard::telephony {

enum class groupcall_status {
  progressing, ///< somebody is being called, or one has answered and talks
  hangingup,   ///< all of its calls are being hung up
  hangup,      ///< over; only kept to be looked at
};
constexpr std::array<std::string_view, 3> names_of(groupcall_status) { return {"progressing", "hangingup", "hangup"}; }

enum class ring_method {
  ring_all, ///< all at once
  linear,   ///< one after the other
};
constexpr std::array<std::string_view, 2> names_of(ring_method) { return {"ring_all", "linear"}; }

enum class member_status {
  waiting, ///< linear: not called yet
  calling, ///< its call is being placed or rings
  winner,  ///< it answered first and talks
  leaving, ///< its call is being hung up
  gone,    ///< its call is over
};
constexpr std::array<std::string_view, 5> names_of(member_status) {
  return {"waiting", "calling", "winner", "leaving", "gone"};
}

/// What an answer of a member means.
enum class on_answer {
  wins,    ///< the first: the others are hung up
  too_late ///< somebody was faster, or it is not wanted any more: it is hung up
};
constexpr on_answer answer_of(groupcall_status group, member_status member, bool has_winner) noexcept {
  return group == groupcall_status::progressing && member == member_status::calling && !has_winner
             ? on_answer::wins
             : on_answer::too_late;
}

/// What follows when a member's call is over. `live`: members still calling, talking or leaving; `waiting`: not called
/// yet.
enum class after_end { go_on, call_next, hang_up_all, over };
constexpr after_end after_end_of(groupcall_status group, bool was_winner, bool has_winner, std::size_t live,
                                 std::size_t waiting) noexcept {
  if (was_winner || group == groupcall_status::hangingup)
    return live == 0 ? after_end::over : after_end::hang_up_all;
  if (live > 0 || has_winner)
    return after_end::go_on;
  return waiting > 0 ? after_end::call_next : after_end::over;
}

} // namespace switchboard::telephony
