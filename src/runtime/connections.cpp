#include "runtime/connections.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

namespace switchboard::runtime {

namespace {

void count_down(std::map<std::string, std::int64_t, std::less<>>& counts, const std::string& name) {
  const auto found = counts.find(name);
  if (found != counts.end() && --found->second == 0)
    counts.erase(found);
}

std::int64_t count_of(const std::map<std::string, std::int64_t, std::less<>>& counts, const std::string& name) {
  const auto found = counts.find(name);
  return found == counts.end() ? 0 : found->second;
}

bool is_over(std::optional<std::int64_t> most, std::int64_t now) { return most && *most >= 0 && now >= *most; }

} // namespace

std::shared_ptr<connection_card> connections::enter(connection_facts facts, caf::actor session, bounds most,
                                                    refusal& why) {
  std::lock_guard guard{table_->mutex};
  why = refusal::none;
  if (is_over(most.vhost, count_of(table_->by_vhost, facts.vhost)))
    why = refusal::vhost_limit;
  else if (is_over(most.user, count_of(table_->by_user, facts.user)))
    why = refusal::user_limit;
  if (why != refusal::none)
    return nullptr;
  ++table_->by_vhost[facts.vhost];
  ++table_->by_user[facts.user];
  std::shared_ptr<connection_card> card{new connection_card, [where = table_](connection_card* gone) {
                                          {
                                            std::lock_guard inner{where->mutex};
                                            count_down(where->by_vhost, gone->facts.vhost);
                                            count_down(where->by_user, gone->facts.user);
                                            const auto found = where->cards.find(gone->facts.name);
                                            if (found != where->cards.end() && found->second.expired())
                                              where->cards.erase(found);
                                          }
                                          delete gone;
                                        }};
  card->facts = std::move(facts);
  card->session = caf::actor_cast<caf::actor_addr>(session);
  table_->cards.insert_or_assign(card->facts.name, card);
  return card;
}

std::vector<std::shared_ptr<connection_card>> connections::list() const {
  std::vector<std::shared_ptr<connection_card>> all;
  std::lock_guard guard{table_->mutex};
  for (const auto& [name, each] : table_->cards)
    if (auto card = each.lock())
      all.push_back(std::move(card));
  return all;
}

std::shared_ptr<connection_card> connections::find(std::string_view name) const {
  std::lock_guard guard{table_->mutex};
  const auto found = table_->cards.find(name);
  return found == table_->cards.end() ? nullptr : found->second.lock();
}

std::uint64_t connections::channels_of(std::string_view user) const {
  std::uint64_t all = 0;
  for (const auto& each : list())
    if (each->facts.user == user)
      all += each->channels.load(std::memory_order_relaxed);
  return all;
}

void connections::close_if(const std::function<bool(const connection_facts&)>& which, const std::string& reason) const {
  for (const auto& each : list())
    if (which(each->facts))
      if (auto session = caf::actor_cast<caf::actor>(each->session))
        caf::anon_send(session, close_connection{reason});
}

void connections::tell_alarms_changed() const {
  for (const auto& each : list())
    if (auto session = caf::actor_cast<caf::actor>(each->session))
      caf::anon_send(session, alarms_changed{});
}

} // namespace switchboard::runtime
