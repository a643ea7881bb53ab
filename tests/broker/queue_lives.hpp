// Lives a queue through random operations beside its naive model, and tells the first difference by the shortest list
// of operations found that still shows it.
//   SWITCHBOARD_MODEL_OPERATIONS  how many in all (each test has its usual number)
//   SWITCHBOARD_MODEL_SEED        of the first life (1)
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>

#include "tests/broker/queue_model.hpp"

namespace switchboard::broker::model {

inline std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const auto* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

#ifdef __SANITIZE_ADDRESS__
inline constexpr std::uint64_t operations_usually = 10'000;
#else
inline constexpr std::uint64_t operations_usually = 100'000;
#endif
inline constexpr std::size_t operations_of_a_life = 200;

inline std::optional<std::int64_t> returns_of(const message& what) {
  const auto read = decode_properties(what.properties());
  const auto* count = read && read->headers ? read->headers->find("x-delivery-count") : nullptr;
  return count ? count->as_integer() : std::nullopt;
}

/// What happened in all lives: agreement about nothing would prove nothing.
struct tally {
  std::uint64_t operations = 0, deliveries = 0, again = 0, refused = 0, page_reads = 0;
  std::map<std::string, std::uint64_t> dead; ///< by reason

  void add(const outcome& what) {
    ++operations;
    for (const auto& place : what.delivered)
      for (const auto& each : place) {
        ++deliveries;
        again += each.find(" again") != std::string::npos;
      }
    for (const auto& each : what.dead)
      ++dead[each.substr(each.find(' ') + 1)];
    for (const auto& each : what.told)
      refused += each.starts_with("refused");
  }
};

/// Pages of a priority queue are read one level at a time, so letters of several levels that expire together may mix
/// in another order than if all were in memory; nothing promises one.
inline outcome without_order_of_expiry(outcome what) {
  const auto expired = [](const std::string& letter) { return letter.ends_with("expired"); };
  const auto number = [](const std::string& letter) { return std::stoul(letter); };
  for (auto each = what.dead.begin(); each != what.dead.end();) {
    const auto begin = std::find_if(each, what.dead.end(), expired);
    each = std::find_if_not(begin, what.dead.end(), expired);
    std::sort(begin, each, [&](const auto& left, const auto& right) { return number(left) < number(right); });
  }
  return what;
}

/// The operations that were done, and how the last one differed.
template <class System>
std::optional<std::string> difference(const world& of, System& real, tally& sum) {
  queue_model model{of.arguments};
  std::ostringstream story;
  const auto differs = [&](const operation& asked) {
    const auto what = model.resolve(asked);
    if (!what)
      return false;
    auto expected = model.apply(*what);
    if (!real.can.time)
      expected.next_expiry_ms.reset();
    story << "  " << *what << '\n';
    auto seen = real.apply(*what);
    if (of.arguments.max_priority > 0) {
      expected = without_order_of_expiry(std::move(expected));
      seen = without_order_of_expiry(std::move(seen));
    }
    sum.add(seen);
    if (seen == expected)
      return false;
    story << "    model: " << expected << "\n    queue: " << seen << '\n';
    return true;
  };
  for (const auto& each : of.operations)
    if (differs(each))
      return story.str();
  for (unsigned place = 0; place < places; ++place)
    if (differs({.what = kind::leave, .place = place}))
      return story.str();
  if (differs({.what = kind::purge}))
    return story.str();
  if (const auto left = real.left_over(); !left.empty())
    return story.str() + "    " + left;
  return std::nullopt;
}

/// So many operations, life after life; `live` makes the real thing for one and tells how it differed.
inline tally live_through(std::uint64_t operations, abilities can,
                          const std::function<std::optional<std::string>(const world&, tally&)>& live) {
  const auto first = from_environment("SWITCHBOARD_MODEL_SEED", 1);
  tally sum;
  tally unused;
  auto seed = first;
  for (; sum.operations < operations; ++seed) {
    auto of = generator{seed, can}.make(operations_of_a_life);
    if (!live(of, sum))
      continue;
    of.operations = shrink(std::move(of.operations), [&](const std::vector<operation>& fewer) {
      return live({of.arguments, of.page_bytes, fewer}, unused).has_value();
    });
    ADD_FAILURE() << "seed " << seed << ", a queue that is " << text_of(of.arguments) << ", pages of " << of.page_bytes
                  << " bytes\n"
                  << live(of, unused).value_or("  differs no more: not by the operations alone");
    return sum;
  }
  std::cout << sum.operations << " operations on " << seed - first << " queues, seeds " << first << " to " << seed - 1
            << ": " << sum.deliveries << " deliveries, " << sum.again << " of them again, " << sum.refused
            << " refused, " << sum.page_reads << " page reads, dead:";
  for (const auto& [why, count] : sum.dead)
    std::cout << ' ' << why << ' ' << count;
  std::cout << "; no difference\n";
  return sum;
}

} // namespace switchboard::broker::model
