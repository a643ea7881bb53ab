#include "runtime/replay.hpp"

#include <utility>

namespace switchboard::runtime {

namespace {

/// Members that a later build adds are no difference.
bool same_outcome(const json& recorded, const json& now) {
  if (!recorded.is_object() || !now.is_object())
    return true;
  for (const auto* name : {"ended", "events", "sends", "timers", "reply"})
    if (recorded.value(name, json{}) != now.value(name, json{}))
      return false;
  return true;
}

} // namespace

std::string_view text(replay_verdict of) {
  switch (of) {
  case replay_verdict::verified:
    return "verified";
  case replay_verdict::recorded:
    return "recorded";
  case replay_verdict::unknown:
    return "unknown";
  case replay_verdict::diverged:
    return "diverged";
  }
  return "unknown";
}

replay::replay(const served_type& type, std::string id) : type_(type), id_(std::move(id)) {}

replayed replay::step(const journal_entry& line) {
  replayed result;
  // Older builds counted answers, too, that changed nothing.
  const bool follows = known_ && (line.number == number_ + 1 || line.version.empty());
  number_ = line.number;
  if (line.from) {
    exists_ = line.from->existed;
    const bool same =
        follows && exists_ && line.from->state.bytes == state_.bytes && line.from->state.version == state_.version;
    if (!same)
      instance_.reset();
    state_ = line.from->state;
    customer_id_ = line.from->customer_id;
    base_settings_ = line.from->settings;
  } else if (line.number == 1) { // of an older build: the first outcome makes the entity
    exists_ = false;
    instance_.reset();
    state_ = {};
  } else if (!follows) {
    const bool gap = known_;
    return lose(std::move(result), gap ? "lines before it are missing" : "no state is kept before it",
                replay_verdict::unknown);
  }
  known_ = true;
  before_ = state_;
  result.before = exists_ ? &before_ : nullptr;

  const auto& by = choose(line);
  if (line.what) {
    auto made = decide(line, by);
    if (!made)
      return lose(std::move(result), "the decision fails now: " + made.error().what + difference_of_code(line, by),
                  replay_verdict::diverged);
    if (!same_outcome(line.outcome, json::parse(outcome_json(*made), nullptr, false)))
      return lose(std::move(result), "it comes to another outcome now" + difference_of_code(line, by),
                  replay_verdict::diverged);
    if (line.hash && !made->state)
      return lose(std::move(result), "the state stays as it was now" + difference_of_code(line, by),
                  replay_verdict::diverged);
    if (made->ended) {
      exists_ = false;
      instance_.reset();
      state_ = {};
    } else if (made->state) {
      exists_ = true;
      state_ = {std::move(made->state->bytes), made->state->version};
      customer_id_ = std::move(made->state->customer_id);
    }
  }
  result.verdict = line.version.empty() ? replay_verdict::recorded : replay_verdict::verified;
  if (exists_) {
    result.hash = hash_text(state_hash(state_.bytes, state_.version, customer_id_));
    if (line.hash && !line.hash->empty() && *line.hash != result.hash)
      return lose(std::move(result), "the state is another one now" + difference_of_code(line, by),
                  replay_verdict::diverged);
    result.after = &state_;
  }
  return result;
}

/// What follows is not known until a line brings its base.
replayed replay::lose(replayed result, std::string reason, replay_verdict verdict) {
  known_ = false;
  instance_.reset();
  result.verdict = verdict;
  result.reason = std::move(reason);
  return result;
}

/// Of those loaded the one that decided: by its plugin's version, and if there are several, by its settings.
const hosted_type& replay::choose(const journal_entry& line) const {
  const hosted_type* found = nullptr;
  for (const auto* one : type_.versions()) {
    if (one->version != line.version)
      continue;
    if (one->settings_hash == line.settings_hash)
      return *one;
    if (!found)
      found = one;
  }
  return found ? *found : type_.now();
}

const std::string& replay::settings_for(const journal_entry& line, const hosted_type& by) const {
  const bool as_at_base = !base_settings_.empty() && hash_text(hash_of(base_settings_)) == line.settings_hash;
  return as_at_base ? base_settings_ : by.settings;
}

expected<decision> replay::decide(const journal_entry& line, const hosted_type& by) {
  if (!instance_ || by_ != &by) {
    auto opened = entity_instance::open(*by.abi, exists_ ? state_.bytes : std::string{}, state_.version);
    if (!opened)
      return opened.error();
    instance_.emplace(std::move(*opened));
    by_ = &by;
  }
  return instance_->decide(*line.what, id_, line.at, line.random, settings_for(line, by));
}

/// Why that may be no fault: other code, or other settings.
std::string replay::difference_of_code(const journal_entry& line, const hosted_type& by) const {
  if (line.version.empty())
    return "; it was decided by an older build of the node";
  if (by.version != line.version)
    return "; it was decided by version " + line.version + " of plugin " + line.plugin + ", which is not loaded (" +
           by.version + " is)";
  if (hash_text(hash_of(settings_for(line, by))) != line.settings_hash)
    return "; it was decided with other settings";
  return {};
}

} // namespace switchboard::runtime
