// What an entity was told, what it decided, and how its state changed by it: its journal, read back and decided again.
#pragma once

#include <cstdint>
#include <string>

#include "base/expected.hpp"
#include "messages/envelope.hpp"
#include "runtime/entity_hosts.hpp"

namespace switchboard::runtime {

inline constexpr std::size_t history_page_default = 100;
inline constexpr std::size_t history_page_max = 1000;

struct history_query {
  std::string type, id;
  std::uint64_t after = 0; ///< lines behind this sequence; 0: from the beginning
  std::size_t limit = history_page_default;
  bool with_states = false; ///< the state after each line, beside its difference
};

/// {"history":[…],"next":"<sequence>"}; `next` is absent on the last page. Each line: sequence, number, at, message,
/// outcome, state (version, hash, bytes), difference (RFC 6902, from the state before) and replay: see replay_verdict.
/// errc::not_found: no such type, or nothing is kept of that id. Blocks: on a thread of your own.
expected<json> entity_history(entity_hosts& hosts, const history_query& what);

/// Decides the whole journal again, up to and with the line `until` (0: all): {"lines":…,"verified":…,"recorded":…,
/// "unknown":…,"diverged":…,"first_divergence":{…} or null,"hash":"…","is_stored_state":true}. The last one is there if
/// the journal was read to its end: whether the stored state is the one it ends with. Blocks; errors as above.
expected<json> replay_history(entity_hosts& hosts, const std::string& type, const std::string& id,
                              std::uint64_t until = 0);

} // namespace switchboard::runtime
