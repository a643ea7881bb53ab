#include "runtime/history.hpp"

#include <optional>

#include "broker/base64.hpp"
#include "runtime/replay.hpp"

namespace switchboard::runtime {

namespace {

/// A state for people: JSON if it is that, else its bytes.
json state_value(const saved_state* state) {
  if (!state)
    return nullptr;
  auto value = json::parse(state->bytes, nullptr, /*allow_exceptions*/ false);
  return value.is_discarded() ? json{{"base64", broker::to_base64(state->bytes)}} : value;
}

json line_json(const journal_entry& line, const replayed& again, bool with_state) {
  json row{{"sequence", std::to_string(line.sequence)},
           {"number", line.number},
           {"at", to_iso8601(line.at)},
           {"message", line.line["message"]},
           {"outcome", line.outcome},
           {"by", line.line.value("by", json{})},
           {"state", nullptr},
           {"difference", nullptr},
           {"replay", text(again.verdict)}};
  if (!again.reason.empty())
    row["reason"] = again.reason;
  if (const auto state = line.line.find("state"); state != line.line.end())
    row["state"] = *state;
  else if (again.after)
    row["state"] = {{"version", again.after->version}, {"hash", again.hash}, {"bytes", again.after->bytes.size()}};
  if (again.verdict == replay_verdict::verified || again.verdict == replay_verdict::recorded) {
    const auto after = state_value(again.after);
    row["difference"] = json::diff(state_value(again.before), after);
    if (with_state)
      row["value"] = after;
  }
  return row;
}

error nothing_kept(const std::string& type, const std::string& id) {
  return {errc::not_found, "nothing is kept of " + type + " " + id};
}

/// Reads lines from `from` on and decides each again, until `visit` returns false. False if there are none.
expected<bool> walk_journal(entity_hosts& hosts, const std::string& type, const std::string& id, std::uint64_t from,
                            const std::function<bool(const journal_entry&, const replayed&)>& visit) {
  const auto* served = hosts.types().find(type);
  if (!served)
    return {errc::not_found, "no entity type '" + type + "'"};
  replay again{*served, id};
  bool any = false;
  auto read = hosts.store().each_journal(type, id, from, [&](store::journal_record&& record) {
    any = true;
    auto line = read_journal(record);
    if (!line) { // shown as it is; the next one does not follow it
      line = journal_entry{};
      line->sequence = record.sequence;
      line->at = record.at;
      line->line = {{"message", nullptr}};
    }
    return !hosts.closed() && visit(*line, again.step(*line));
  });
  if (!read && read.error().code != errc::corrupt) // what is left is shown, and the gap
    return read.error();
  return any;
}

} // namespace

expected<json> entity_history(entity_hosts& hosts, const history_query& what) {
  json rows = json::array();
  bool more = false;
  // From a line that has a base, if it is still there.
  const auto from = what.after & ~(base_interval - 1);
  auto read = walk_journal(hosts, what.type, what.id, from, [&](const journal_entry& line, const replayed& again) {
    if (line.sequence <= what.after)
      return true;
    if (rows.size() == what.limit)
      return !(more = true);
    rows.push_back(line_json(line, again, what.with_states));
    return true;
  });
  if (!read)
    return read.error();
  if (!*read && what.after == 0)
    return nothing_kept(what.type, what.id);
  json page{{"type", what.type}, {"id", what.id}, {"history", std::move(rows)}};
  if (more)
    page["next"] = page["history"].back()["sequence"];
  return page;
}

expected<json> replay_history(entity_hosts& hosts, const std::string& type, const std::string& id,
                              std::uint64_t until) {
  std::uint64_t lines = 0;
  std::map<replay_verdict, std::uint64_t> counts;
  json first = nullptr;
  std::string hash;
  bool to_the_end = true;
  auto read = walk_journal(hosts, type, id, 0, [&](const journal_entry& line, const replayed& again) {
    if (until != 0 && line.sequence > until)
      return to_the_end = false;
    ++lines;
    ++counts[again.verdict];
    hash = again.hash;
    if (again.verdict == replay_verdict::diverged && first.is_null())
      first = {{"sequence", std::to_string(line.sequence)},
               {"number", line.number},
               {"reason", again.reason},
               {"recorded", line.hash ? json(*line.hash) : json{}},
               {"now", again.hash}};
    return true;
  });
  if (!read)
    return read.error();
  if (!*read)
    return nothing_kept(type, id);
  json answer{{"type", type},
              {"id", id},
              {"lines", lines},
              {"verified", counts[replay_verdict::verified]},
              {"recorded", counts[replay_verdict::recorded]},
              {"unknown", counts[replay_verdict::unknown]},
              {"diverged", counts[replay_verdict::diverged]},
              {"first_divergence", std::move(first)},
              {"hash", hash.empty() ? json{} : json(hash)}};
  if (!to_the_end)
    return answer;
  const auto stored = hosts.store().find_entity(type, id);
  if (!stored)
    return stored.error();
  const auto stored_hash =
      *stored ? hash_text(state_hash((*stored)->state, (*stored)->state_version, (*stored)->customer_id)) : "";
  answer["is_stored_state"] = stored_hash == hash;
  return answer;
}

} // namespace switchboard::runtime
