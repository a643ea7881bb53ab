#include "store/elision.hpp"

#include <memory_resource>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "store/key.hpp"

namespace switchboard::store {

namespace {

/// Walks the parts backwards, so that whatever it meets already knows what happens to its record afterwards.
class backward_walk {
public:
  explicit backward_walk(std::size_t operations) { result_.skipped.resize(operations); }

  void visit(std::size_t index, const batch::operation& what) {
    index_ = index;
    std::visit(*this, what);
  }
  elision take() && { return std::move(result_); }

  // A position and an outbox number are put once ever. So if the put is among these, nothing of it is on disk, and
  // its deletion goes with it.
  void operator()(const batch::message_put& put) {
    if (emptied_.contains(put.queue))
      return skip_put();
    cancel_pair(taken_, {put.queue, put.at});
  }
  void operator()(const batch::message_delete& gone) {
    if (emptied_.contains(gone.queue) || !taken_.try_emplace({gone.queue, gone.at}, index_).second)
      skip();
  }
  void operator()(const batch::queue_delete& all) {
    if (!emptied_.insert(all.queue).second)
      skip();
  }
  void operator()(const outbox_record& put) { cancel_pair(taken_, {outbox, put.number}); }
  void operator()(const batch::outbox_delete& gone) {
    if (!taken_.try_emplace({outbox, gone.number}, index_).second)
      skip();
  }

  // The others may be on disk from earlier on: the last word on a key stays, those before it go.
  void operator()(const batch::topology_put& put) { keep_last('t', topology_key(put.key), true); }
  void operator()(const batch::topology_delete& gone) { keep_last('t', topology_key(gone.key), false); }
  void operator()(const entity_record& put) { keep_last('e', entity_key(put.type, put.id), true); }
  void operator()(const batch::entity_delete& gone) { keep_last('e', entity_key(gone.type, gone.id), false); }
  void operator()(const reply_record& put) { keep_last('r', reply_key(put.scope, put.message_id), true); }
  void operator()(const timer_record& put) { timer(put.type, put.id, put.name, true); }
  void operator()(const batch::timer_delete& gone) { timer(gone.type, gone.id, gone.name, false); }
  void operator()(const batch::timers_delete& all) {
    timers_emptied_ = true;
    keep_last('a', timer_prefix(all.type, all.id), false);
  }
  void operator()(const journal_record&) {} // history is never skipped

private:
  using place = std::pair<std::uint64_t, std::uint64_t>;
  struct place_hash {
    std::size_t operator()(const place& of) const noexcept {
      return static_cast<std::size_t>((of.first * 0x9e3779b97f4a7c15u ^ of.second) * 0xff51afd7ed558ccdu);
    }
  };
  using places = std::pmr::unordered_map<place, std::size_t, place_hash>;
  static constexpr std::uint64_t outbox = ~std::uint64_t{0}; // stands for a queue that is never made

  void skip() { result_.skipped[index_] = true; }
  void skip_put() {
    skip();
    ++result_.puts;
  }

  void cancel_pair(const places& deleted, place at) {
    const auto found = deleted.find(at);
    if (found == deleted.end())
      return;
    skip_put();
    result_.skipped[found->second] = true;
  }

  void keep_last(char kind, std::string_view key, bool is_put) {
    std::pmr::string tagged{&memory_};
    tagged.reserve(key.size() + 1);
    tagged.append(1, kind).append(key);
    if (decided_.insert(std::move(tagged)).second)
      return;
    is_put ? skip_put() : skip();
  }

  void timer(std::string_view type, std::string_view id, std::string_view name, bool is_put) {
    std::pmr::string all{"a", &memory_};
    if (timers_emptied_ && decided_.contains(all.append(timer_prefix(type, id).view())))
      return is_put ? skip_put() : skip();
    keep_last('n', timer_key(type, id, name), is_put);
  }

  elision result_;
  std::size_t index_ = 0;
  std::pmr::monotonic_buffer_resource memory_{1 << 16};
  places taken_{&memory_}; // where each deletion stands
  std::unordered_set<queue_number> emptied_;
  std::pmr::unordered_set<std::pmr::string> decided_{&memory_}; // keys with a later word
  bool timers_emptied_ = false;                                 // of some entity
};

} // namespace

elision elide(std::span<const std::span<const batch::operation>> parts) {
  std::size_t left = 0;
  for (const auto part : parts)
    left += part.size();
  backward_walk walk{left};
  for (auto part = parts.rbegin(); part != parts.rend(); ++part)
    for (auto what = part->rbegin(); what != part->rend(); ++what)
      walk.visit(--left, *what);
  return std::move(walk).take();
}

} // namespace switchboard::store
