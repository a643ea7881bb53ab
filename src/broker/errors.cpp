#include "broker/errors.hpp"

#include <caf/atom.hpp>
#include <caf/deep_to_string.hpp>
#include <caf/exit_reason.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>

namespace switchboard::broker {

namespace {

constexpr auto category = caf::atom("switchb"); // at most 10 characters, else CAF blanks them in silence

} // namespace

caf::error to_caf(const error& why) {
  // Code 0 means "no error" to CAF, so ours are shifted by one.
  return {static_cast<std::uint8_t>(static_cast<int>(why.code) + 1), category, caf::make_message(why.what)};
}

error from_caf(const caf::error& why) {
  if (!why) // as an actor's reason to end; CAF's own accessors don't survive it
    return {errc::internal, "ended of its own accord"};
  if (why.category() == category) {
    error result{static_cast<errc>(why.code() - 1), {}};
    if (why.context().match_elements<std::string>())
      result.what = why.context().get_as<std::string>(0);
    return result;
  }
  if (why == caf::sec::request_timeout)
    return {errc::timed_out, "no answer in time"};
  if (why == caf::sec::request_receiver_down || why == caf::exit_reason::user_shutdown)
    return {errc::unavailable, "the actor asked is gone"};
  return {errc::internal, "actor error " + caf::deep_to_string(why)};
}

} // namespace switchboard::broker
