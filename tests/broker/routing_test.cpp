#include "broker/routing_table_builder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "broker/topology.hpp"
#include "tests/broker/naive_topic.hpp"

namespace switchboard::broker {
namespace {

using names = std::set<std::string>;
using result = routing_table::result;

field_table table(std::initializer_list<field_table::field> fields) {
  field_table made;
  for (const auto& [name, value] : fields)
    made.append(name, value);
  return made;
}

std::string bytes_of(const field_table& headers) {
  std::string bytes;
  encode_fields(headers, bytes);
  return bytes;
}

/// Fails if a queue is named twice.
names routes(const routing_table& table, const std::string& exchange, const std::string& key,
             const field_table& headers = {}) {
  std::vector<const endpoint*> found;
  table.route(exchange, key, bytes_of(headers), found);
  names all;
  for (const auto* each : found)
    EXPECT_TRUE(all.insert(each->name).second) << each->name << " twice";
  return all;
}

class routing : public testing::Test {
protected:
  void queue(const std::string& name) { builder_.add_queue(std::make_shared<const endpoint>(++number_, name, false)); }
  void exchange(const std::string& name, const std::string& type, const std::string& alternate = "\n") {
    exchange_spec spec{.name = name, .type = type};
    if (alternate != "\n")
      spec.arguments.set("alternate-exchange", alternate);
    builder_.add_exchange(spec);
  }
  void bind(const std::string& source, const std::string& to, const std::string& key = "",
            const field_table& arguments = {}) {
    builder_.bind({.source = source, .destination = to, .routing_key = key, .arguments = arguments});
  }
  void bind_exchange(const std::string& source, const std::string& to, const std::string& key = "") {
    builder_.bind({.source = source, .destination = to, .to_exchange = true, .routing_key = key});
  }
  names to(const std::string& exchange, const std::string& key, const field_table& headers = {}) {
    return routes(*builder_.snapshot(), exchange, key, headers);
  }

  routing_table_builder builder_;
  queue_number number_ = 0;
};

TEST_F(routing, the_default_exchange_finds_queues_by_name) {
  queue("a");
  queue("b");
  EXPECT_EQ(to("", "a"), names{"a"});
  EXPECT_EQ(to("", "c"), names{});
  std::vector<const endpoint*> found;
  EXPECT_EQ(builder_.snapshot()->route("", "c", {}, found), result::found);
  EXPECT_TRUE(builder_.snapshot()->has_exchange(""));
  builder_.remove_queue("a");
  EXPECT_EQ(to("", "a"), names{});
  EXPECT_EQ(builder_.snapshot()->find_queue("a"), nullptr);
}

TEST_F(routing, an_exchange_that_is_not_there_is_told_from_one_without_routes) {
  exchange("E", "direct");
  std::vector<const endpoint*> found;
  EXPECT_EQ(builder_.snapshot()->route("nope", "k", {}, found), result::no_exchange);
  EXPECT_EQ(builder_.snapshot()->route("E", "k", {}, found), result::found);
  EXPECT_TRUE(found.empty());
  builder_.remove_exchange("E");
  EXPECT_EQ(builder_.snapshot()->route("E", "k", {}, found), result::no_exchange);
}

TEST_F(routing, an_internal_exchange_takes_nothing_from_clients) {
  queue("q");
  builder_.add_exchange({.name = "I", .type = "fanout", .internal = true});
  exchange("E", "fanout");
  bind("I", "q");
  bind_exchange("E", "I");
  std::vector<const endpoint*> found;
  EXPECT_EQ(builder_.snapshot()->route("I", "k", {}, found), result::internal);
  EXPECT_TRUE(found.empty());
  EXPECT_EQ(builder_.snapshot()->route("I", "k", {}, found, false), result::found);
  EXPECT_EQ(found.size(), 1u);
  EXPECT_EQ(to("E", "k"), names{"q"});
}

TEST_F(routing, direct_fanout_topic_and_headers) {
  for (const auto* name : {"a", "b"})
    queue(name);
  for (const auto* type : {"direct", "fanout", "topic", "headers"})
    exchange(type, type);
  bind("direct", "a", "k");
  bind("direct", "b", "k");
  bind("direct", "b", "l");
  EXPECT_EQ(to("direct", "k"), (names{"a", "b"}));
  EXPECT_EQ(to("direct", "l"), names{"b"});
  EXPECT_EQ(to("direct", "m"), names{});
  bind("fanout", "a", "x");
  bind("fanout", "a", "y");
  bind("fanout", "b");
  EXPECT_EQ(to("fanout", "whatever"), (names{"a", "b"}));
  bind("topic", "a", "call.*.ended");
  bind("topic", "a", "call.#");
  bind("topic", "b", "#.ended");
  EXPECT_EQ(to("topic", "call.7.ended"), (names{"a", "b"}));
  EXPECT_EQ(to("topic", "call.7.ringing"), names{"a"});
  bind("headers", "a", "", table({{"tenant", "t1"}, {"kind", "call"}}));
  bind("headers", "b", "", table({{"x-match", "any"}, {"tenant", "t1"}, {"kind", "agent"}}));
  EXPECT_EQ(to("headers", "", table({{"tenant", "t1"}, {"kind", "call"}})), (names{"a", "b"}));
  EXPECT_EQ(to("headers", "", table({{"kind", "agent"}})), names{"b"});
  EXPECT_EQ(to("headers", "", {}), names{});
}

TEST_F(routing, what_is_found_is_appended_once_each) {
  for (const auto* name : {"a", "b"})
    queue(name);
  exchange("T", "topic");
  bind("T", "a", "#");
  bind("T", "a", "k");
  bind("T", "b", "*");
  std::vector<const endpoint*> found;
  builder_.snapshot()->route("", "b", {}, found);
  builder_.snapshot()->route("T", "k", {}, found);
  ASSERT_EQ(found.size(), 3u); // one of the first call, two of the second
  EXPECT_EQ(found[0]->name, "b");
}

TEST_F(routing, exchanges_lead_to_exchanges_and_cycles_end) {
  queue("q");
  for (const auto* name : {"A", "B", "C"})
    exchange(name, "fanout");
  bind_exchange("A", "A");
  bind_exchange("A", "B");
  bind_exchange("A", "C");
  bind_exchange("B", "A");
  bind_exchange("C", "B");
  bind("B", "q");
  bind("C", "q");
  for (const auto* from : {"A", "B", "C"})
    EXPECT_EQ(to(from, "k"), names{"q"}) << from;
}

TEST_F(routing, the_key_counts_again_at_every_exchange) {
  queue("q");
  exchange("A", "topic");
  exchange("B", "direct");
  bind_exchange("A", "B", "call.#");
  bind("B", "q", "call.7");
  EXPECT_EQ(to("A", "call.7"), names{"q"});
  EXPECT_EQ(to("A", "call.8"), names{});
}

TEST_F(routing, the_alternate_exchange_gets_what_no_binding_takes) {
  for (const auto* name : {"q", "rest", "last"})
    queue(name);
  exchange("E", "direct", "alt");
  exchange("alt", "direct", "alt2");
  exchange("alt2", "fanout", "E"); // a cycle of alternates
  exchange("empty", "fanout");
  bind("E", "q", "k");
  bind_exchange("E", "empty", "dead end");
  bind("alt", "rest", "r");
  EXPECT_EQ(to("E", "k"), names{"q"});
  EXPECT_EQ(to("E", "r"), names{"rest"});
  EXPECT_EQ(to("E", "nobody's"), names{});
  bind("alt2", "last");
  EXPECT_EQ(to("E", "nobody's"), names{"last"});
  EXPECT_EQ(to("E", "dead end"), names{}); // a binding took it, though it leads nowhere
}

TEST_F(routing, the_alternate_exchange_gets_nothing_if_one_of_several_keys_leads_somewhere) {
  for (const auto* name : {"q", "rest"})
    queue(name);
  exchange("E", "direct", "alt");
  exchange("alt", "fanout");
  bind("E", "q", "k");
  bind("alt", "rest");
  const auto by = [&](const std::string& key, const std::vector<std::string>& more) {
    std::vector<const endpoint*> found;
    const auto table = builder_.snapshot();
    table->route("E", key, {}, found, true, more);
    names all;
    for (const auto* each : found)
      EXPECT_TRUE(all.insert(each->name).second) << each->name << " twice";
    return all;
  };
  EXPECT_EQ(by("k", {"k", "none"}), names{"q"});
  EXPECT_EQ(by("none", {"k"}), names{"q"});
  EXPECT_EQ(by("none", {"neither"}), names{"rest"});
}

TEST_F(routing, an_alternate_exchange_that_is_not_there_takes_nothing) {
  exchange("E", "direct", "nope");
  EXPECT_EQ(to("E", "k"), names{});
}

TEST_F(routing, an_old_snapshot_stays_as_it_was) {
  queue("a");
  queue("b");
  exchange("E", "topic");
  bind("E", "a", "x.*");
  const auto before = builder_.snapshot();
  EXPECT_EQ(builder_.snapshot(), before); // the same until something changes
  bind("E", "b", "x.#");
  builder_.unbind({.source = "E", .destination = "a", .routing_key = "x.*"});
  builder_.remove_queue("a");
  EXPECT_EQ(to("E", "x.y"), names{"b"});
  EXPECT_EQ(routes(*before, "E", "x.y"), names{"a"});
  EXPECT_EQ(routes(*before, "", "a"), names{"a"});
}

TEST_F(routing, a_snapshot_keeps_its_queues_alive) {
  queue("a");
  auto held = builder_.snapshot();
  builder_.remove_queue("a");
  const std::weak_ptr<const endpoint> watch = held->find_queue("a");
  EXPECT_FALSE(watch.expired());
  held = nullptr;
  EXPECT_TRUE(watch.expired());
}

TEST_F(routing, many_exchanges_may_lead_to_one_another) {
  queue("q");
  for (int i = 0; i < 300; ++i) {
    exchange(std::to_string(i), "fanout");
    bind(std::to_string(i), "q");
  }
  for (int i = 0; i < 300; ++i)
    for (const int next : {(i + 1) % 300, (i + 7) % 300})
      bind_exchange(std::to_string(i), std::to_string(next));
  EXPECT_EQ(to("0", ""), names{"q"});
}

TEST_F(routing, readers_route_while_the_next_tables_are_made) {
  exchange("T", "topic");
  for (int i = 0; i < 50; ++i) {
    queue("q" + std::to_string(i));
    bind("T", "q" + std::to_string(i), "a.#");
  }
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 2; ++reader)
    readers.emplace_back([table = builder_.snapshot()] {
      for (int round = 0; round < 200; ++round) {
        std::vector<const endpoint*> found;
        table->route("T", "a.b", {}, found);
        ASSERT_EQ(found.size(), 50u);
      }
    });
  for (int i = 0; i < 500; ++i) {
    bind("T", "q" + std::to_string(i % 50), "a." + std::to_string(i));
    static_cast<void>(builder_.snapshot());
  }
  for (auto& each : readers)
    each.join();
}

// -- against a naive reference --------------------------------------------------------------------------------------

/// All bindings in a list, looked at one by one. Knows only small integers as header values.
struct reference {
  std::map<std::string, exchange_spec> exchanges;
  std::vector<binding_spec> bindings;

  static bool headers_match(const field_table& arguments, const field_table& headers) {
    const auto* match = arguments.find("x-match");
    const bool any = match && match->as_string()->starts_with("any");
    const bool with_x = match && match->as_string()->ends_with("-with-x");
    bool all_same = true;
    bool one_same = false;
    for (const auto& [name, value] : arguments.fields()) {
      if (name == "x-match" || (!with_x && name.starts_with("x-")))
        continue;
      const auto* held = headers.find(name);
      const bool same = held && held->as_integer() == value.as_integer();
      all_same = all_same && same;
      one_same = one_same || same;
    }
    return any ? one_same : all_same;
  }

  bool matches(const binding_spec& each, const std::string& key, const field_table& headers) const {
    const auto& type = exchanges.at(each.source).type;
    if (type == "direct")
      return each.routing_key == key;
    if (type == "topic")
      return naive::topic_matches(each.routing_key, key);
    return type == "fanout" || headers_match(each.arguments, headers);
  }

  void visit(const std::string& name, const std::string& key, const field_table& headers, names& seen, names& queues) {
    const auto found = exchanges.find(name);
    if (found == exchanges.end() || !seen.insert(name).second)
      return;
    bool taken = false;
    for (const auto& each : bindings) {
      if (each.source != name || !matches(each, key, headers))
        continue;
      taken = true;
      if (each.to_exchange)
        visit(each.destination, key, headers, seen, queues);
      else
        queues.insert(each.destination);
    }
    if (const auto* alternate = found->second.arguments.find("alternate-exchange"); alternate && !taken)
      visit(*alternate->as_string(), key, headers, seen, queues);
  }
};

/// One small random topology that grows and shrinks, and messages through it after every change.
class random_world {
public:
  explicit random_world(std::mt19937& dice) : dice_(dice) {}

  void run() {
    for (int i = 0; i < 3; ++i)
      add_queue("q" + std::to_string(i));
    for (int i = 0; i < 4; ++i)
      add_exchange("e" + std::to_string(i));
    for (int step = 0; step < 12; ++step) {
      if (dice_() % 4 || reference_.bindings.empty())
        add_binding();
      else
        remove_binding(dice_() % reference_.bindings.size());
      if (step % 3 == 0)
        past_.emplace_back(builder_.snapshot(), reference_);
      check(*builder_.snapshot(), reference_);
    }
    for (auto& [table, then] : past_)
      check(*table, then);
  }

private:
  std::string pick(std::initializer_list<const char*> from) { return *(from.begin() + dice_() % from.size()); }
  std::string text(std::initializer_list<const char*> words) {
    std::string made;
    for (auto left = dice_() % 4; left > 0; --left)
      made += (made.empty() ? "" : ".") + pick(words);
    return made;
  }
  field_table numbers() {
    field_table made;
    for (const auto* name : {"h", "i", "x-h"})
      if (dice_() % 2)
        made.set(name, static_cast<std::int32_t>(dice_() % 2));
    return made;
  }

  void add_queue(const std::string& name) {
    builder_.add_queue(std::make_shared<const endpoint>(dice_(), name, false));
  }
  void add_exchange(const std::string& name) {
    exchange_spec spec{.name = name, .type = pick({"direct", "fanout", "topic", "topic", "headers"})};
    if (dice_() % 4 == 0)
      spec.arguments.set("alternate-exchange", pick({"e0", "e1", "e2", "gone"}));
    builder_.add_exchange(spec);
    reference_.exchanges[name] = spec;
  }
  void add_binding() {
    binding_spec spec{.source = pick({"e0", "e1", "e2", "e3"}), .to_exchange = dice_() % 3 == 0};
    spec.destination = spec.to_exchange ? pick({"e0", "e1", "e2", "e3"}) : pick({"q0", "q1", "q2"});
    spec.routing_key = text({"a", "b", "*", "#"});
    spec.arguments = numbers();
    if (dice_() % 2)
      spec.arguments.set("x-match", pick({"all", "any", "all-with-x", "any-with-x"}));
    const auto identity = binding_identity(spec);
    for (const auto& each : reference_.bindings)
      if (binding_identity(each) == identity)
        return;
    builder_.bind(spec);
    reference_.bindings.push_back(spec);
  }
  void remove_binding(std::size_t which) {
    builder_.unbind(reference_.bindings[which]);
    reference_.bindings.erase(reference_.bindings.begin() + static_cast<std::ptrdiff_t>(which));
  }

  void check(const routing_table& table, reference& expected) {
    const auto name = pick({"e0", "e1", "e2", "e3"});
    const auto key = text({"a", "b", "c"});
    const auto headers = numbers();
    names seen;
    names queues;
    expected.visit(name, key, headers, seen, queues);
    ASSERT_EQ(routes(table, name, key, headers), queues) << name << " " << key;
  }

  std::mt19937& dice_;
  routing_table_builder builder_;
  reference reference_;
  std::vector<std::pair<std::shared_ptr<const routing_table>, reference>> past_;
};

TEST(routing_reference, ten_thousand_random_topologies_route_as_the_definition_says) {
  std::mt19937 dice{2026};
  for (int round = 0; round < 10000 && !testing::Test::HasFatalFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    random_world{dice}.run();
  }
}

} // namespace
} // namespace switchboard::broker
