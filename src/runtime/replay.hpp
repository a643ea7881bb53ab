// Decides again what an entity's journal says was decided, and compares. Decisions are pure: state, message, clock and
// dice are in the journal, so the same code must come to the same state. Pure: nothing of it has an effect.
//
//   journal line --> base, or the state after the line before --> decide again --> the recorded hash?
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "runtime/journal.hpp"

namespace switchboard::runtime {

/// What became of one line.
enum class replay_verdict {
  verified, ///< decided again: the same outcome, and the state has the recorded hash
  recorded, ///< decided again, but the line is of an older build and has no hash to compare with
  unknown,  ///< the state before it is not known: no base is kept, or a line between is missing
  diverged, ///< decided again, and it came to something else
};
std::string_view text(replay_verdict of);

struct replayed {
  replay_verdict verdict = replay_verdict::unknown;
  std::string reason; ///< of unknown and diverged
  // Null: not known, or there is none. Valid until the next step.
  const saved_state* before = nullptr;
  const saved_state* after = nullptr;
  std::string hash; ///< of the state after the line; empty: not known, or there is none
};

/// Takes the lines of one entity, in their order. Not thread-safe.
class replay {
public:
  /// `type`: its loaded versions decide, each what it decided then.
  replay(const served_type& type, std::string id);

  replayed step(const journal_entry& line);

private:
  const hosted_type& choose(const journal_entry& line) const;
  expected<decision> decide(const journal_entry& line, const hosted_type& by);
  const std::string& settings_for(const journal_entry& line, const hosted_type& by) const;
  replayed lose(replayed result, std::string reason, replay_verdict verdict);
  std::string difference_of_code(const journal_entry& line, const hosted_type& by) const;

  const served_type& type_;
  const std::string id_;
  bool known_ = false;  ///< whether what follows is: the state after the line before
  bool exists_ = false; ///< there is one
  saved_state before_, state_;
  std::string customer_id_;
  std::string base_settings_;               ///< of the last base
  std::uint64_t number_ = 0;                ///< of the line before
  std::optional<entity_instance> instance_; ///< in state_, by by_
  const hosted_type* by_ = nullptr;
};

} // namespace switchboard::runtime
