#include "base/errc.hpp"

namespace switchboard {

namespace {

struct words {
  std::string_view text;
  std::string_view sentence;
};

// A switch without default: the compiler names the value that somebody forgot.
words words_of(errc code) noexcept {
  switch (code) {
  case errc::bad_format:
    return {"bad_format", "The message can't be read; sending it again unchanged won't help."};
  case errc::too_large:
    return {"too_large", "The message is over a configured limit of size, depth or count."};
  case errc::not_found:
    return {"not_found", "There is no such route, resource, exchange or queue."};
  case errc::access_refused:
    return {"access_refused", "The caller may not do this."};
  case errc::resource_locked:
    return {"resource_locked", "The resource is exclusive to another connection."};
  case errc::precondition_failed:
    return {"precondition_failed", "The resource exists, but not as the caller says."};
  case errc::wrong_state:
    return {"wrong_state", "The request doesn't fit the present state of the resource."};
  case errc::not_implemented:
    return {"not_implemented", "The protocol knows this request, but it isn't built here."};
  case errc::unavailable:
    return {"unavailable", "Nobody serves this now; trying again later may help."};
  case errc::timed_out:
    return {"timed_out", "There was no answer within the deadline."};
  case errc::stopping:
    return {"stopping", "The node is shutting down and takes no new work."};
  case errc::io_failed:
    return {"io_failed", "The disk or the network failed."};
  case errc::corrupt:
    return {"corrupt", "Stored bytes failed their check."};
  case errc::internal:
    break;
  }
  return {"internal", "The node broke one of its own rules; its log says which."};
}

} // namespace

std::string_view text(errc code) noexcept { return words_of(code).text; }

std::string_view sentence(errc code) noexcept { return words_of(code).sentence; }

} // namespace switchboard
