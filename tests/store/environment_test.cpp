// What is put can be read, in the order the header promises, now and after reopening.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "store/lmdb_files.hpp"
#include "temporary_store.hpp"

namespace switchboard::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Fills a batch and waits until it is durable.
template <class Fill>
void commit(environment& store, Fill fill) {
  batch made;
  fill(made);
  store.submit(std::move(made));
  const auto done = store.flush();
  ASSERT_TRUE(done) << done.error().what;
}

TEST(environment, messages_come_back_by_queue_and_position) {
  temporary_store store;
  commit(*store, [](batch& b) {
    b.put_message(2, 11, text_message("other"));
    b.put_message(1, 12, text_message("second"));
    b.put_message(1, 10, text_message("first"));
    b.put_message(1, 13, text_message("third"));
  });
  EXPECT_THAT(bodies(*store, 1), ElementsAre("first", "second", "third"));
  EXPECT_THAT(bodies(*store, 1, 12), ElementsAre("second", "third"));
  EXPECT_THAT(bodies(*store, 1, 14), IsEmpty());
  commit(*store, [](batch& b) { b.delete_message(1, 12); });
  store.reopen();
  EXPECT_THAT(bodies(*store, 1), ElementsAre("first", "third"));
  commit(*store, [](batch& b) { b.delete_queue_messages(1); });
  EXPECT_THAT(bodies(*store, 1), IsEmpty());
  EXPECT_THAT(bodies(*store, 2), ElementsAre("other"));
}

TEST(environment, a_message_keeps_every_byte) {
  temporary_store store;
  const std::string big(3 << 20, '\xfe');
  const std::string nothing;
  const auto original = make_message(std::string(255, 'e'), std::string(255, 'r'), std::string("\0\xff", 2), big, true);
  commit(*store, [&](batch& b) {
    b.put_message(1, 1, original);
    b.put_message(1, 2, make_message("", "", "", nothing, false));
  });
  std::vector<stored_message> found;
  ASSERT_TRUE(store->each_message(1, 0, [&](stored_message&& one) { return found.push_back(std::move(one)), true; }));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].message->exchange(), original->exchange());
  EXPECT_EQ(found[0].message->routing_key(), original->routing_key());
  EXPECT_EQ(found[0].message->properties(), original->properties());
  EXPECT_EQ(found[0].message->body(), big);
  EXPECT_TRUE(found[0].message->persistent());
  EXPECT_EQ(found[1].at, 2u);
  EXPECT_EQ(found[1].message->body(), "");
  EXPECT_FALSE(found[1].message->persistent());
}

TEST(environment, a_long_queue_is_visited_page_by_page_while_it_changes) {
  temporary_store store;
  commit(*store, [](batch& b) {
    for (position at = 1; at <= 3500; ++at)
      b.put_message(1, at, text_message(std::to_string(at)));
    b.put_message(2, 1, text_message("neighbour"));
  });
  std::vector<position> seen;
  ASSERT_TRUE(store->each_message(1, 0, [&](stored_message&& one) {
    seen.push_back(one.at);
    if (one.at == 1) // behind the first page: gone by the time the visit gets there
      commit(*store, [](batch& b) { b.delete_message(1, 3000); });
    return true;
  }));
  EXPECT_EQ(seen.size(), 3499u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 3000u), 0);
  std::vector<position> few;
  ASSERT_TRUE(store->each_message(1, 2, [&](stored_message&& one) { return few.push_back(one.at), few.size() < 3; }));
  EXPECT_THAT(few, ElementsAre(2, 3, 4));
}

TEST(environment, topology_keeps_names_of_any_length) {
  temporary_store store;
  const std::string prefix(700, 'b');
  commit(*store, [&](batch& b) {
    b.put_topology("queue/a", "1");
    b.put_topology("", "nameless");
    b.put_topology(prefix + "1", "long one");
    b.put_topology(prefix + "2", "long two");
    b.put_topology("queue/a", "2");
  });
  commit(*store, [&](batch& b) { b.delete_topology(prefix + "1"); });
  store.reopen();
  std::vector<std::pair<std::string, std::string>> found;
  ASSERT_TRUE(store->each_topology([&](auto key, auto bytes) { return found.emplace_back(key, bytes), true; }));
  EXPECT_THAT(found, testing::UnorderedElementsAre(std::pair{std::string{}, std::string{"nameless"}},
                                                   std::pair{prefix + "2", std::string{"long two"}},
                                                   std::pair{std::string{"queue/a"}, std::string{"2"}}));
}

TEST(environment, an_entity_comes_back_whole) {
  temporary_store store;
  const entity_record written{"call", "c1", "customer", 3, 17, 9, at_ms(1000), at_ms(2000), "{\"status\":\"ringing\"}"};
  commit(*store, [&](batch& b) { b.put_entity(written); });
  store.reopen();
  const auto found = store->find_entity("call", "c1");
  ASSERT_TRUE(found) << found.error().what;
  ASSERT_TRUE(*found);
  const auto& read = **found;
  EXPECT_EQ(read.type, written.type);
  EXPECT_EQ(read.id, written.id);
  EXPECT_EQ(read.customer_id, written.customer_id);
  EXPECT_EQ(read.state_version, written.state_version);
  EXPECT_EQ(read.sequence, written.sequence);
  EXPECT_EQ(read.epoch, written.epoch);
  EXPECT_EQ(read.created, written.created);
  EXPECT_EQ(read.updated, written.updated);
  EXPECT_EQ(read.state, written.state);
  EXPECT_FALSE(*store->find_entity("call", "c2"));
  EXPECT_FALSE(*store->find_entity("agent", "c1"));
}

TEST(environment, entities_are_listed_newest_first) {
  temporary_store store;
  commit(*store, [](batch& b) {
    b.put_entity(an_entity("middle", 2000));
    b.put_entity(an_entity("b_same_time", 1000));
    b.put_entity(an_entity("a_same_time", 1000));
    b.put_entity(an_entity("newest", 3000));
    auto other = an_entity("agent1", 9000);
    other.type = "agent";
    b.put_entity(other);
    other.type = "cal"; // a type that begins another one's name
    b.put_entity(other);
  });
  EXPECT_THAT(entity_ids(*store), ElementsAre("newest", "middle", "a_same_time", "b_same_time"));
  commit(*store, [](batch& b) {
    b.put_entity(an_entity("middle", 2000, "changed"));
    b.delete_entity("call", "a_same_time");
    b.delete_entity("call", "never_there");
  });
  store.reopen();
  EXPECT_THAT(entity_ids(*store), ElementsAre("newest", "middle", "b_same_time"));
  EXPECT_EQ((*store->find_entity("call", "middle"))->state, "changed");
  commit(*store, [](batch& b) { b.put_entity(an_entity("b_same_time", 4000)); });
  EXPECT_THAT(entity_ids(*store), ElementsAre("b_same_time", "newest", "middle"));
  EXPECT_THAT(entity_ids(*store, "agent"), ElementsAre("agent1"));
  EXPECT_THAT(entity_ids(*store, "conference"), IsEmpty());
}

TEST(environment, many_entities_are_listed_across_pages) {
  temporary_store store;
  commit(*store, [](batch& b) {
    for (int i = 0; i < 2345; ++i)
      b.put_entity(an_entity("e" + std::to_string(i), i));
  });
  const auto found = entity_ids(*store);
  ASSERT_EQ(found.size(), 2345u);
  for (int i = 0; i < 2345; ++i)
    ASSERT_EQ(found[static_cast<std::size_t>(i)], "e" + std::to_string(2344 - i));
}

TEST(environment, a_journal_is_read_in_its_order_and_alone) {
  temporary_store store;
  commit(*store, [](batch& b) {
    b.append_journal(a_line("c1", 256, 5));
    b.append_journal(a_line("c1", 1, 9));
    b.append_journal(a_line("c1", 255, 7));
    b.append_journal(a_line("c12", 2, 7));
  });
  store.reopen();
  EXPECT_THAT(journal_sequences(*store, "c1"), ElementsAre(1, 255, 256));
  EXPECT_THAT(journal_sequences(*store, "c12"), ElementsAre(2));
  EXPECT_THAT(journal_sequences(*store, "c"), IsEmpty());
}

TEST(environment, a_reply_is_found_by_scope_and_message_id) {
  temporary_store store;
  commit(*store, [](batch& b) {
    b.put_reply(a_reply("m1", 5000, "one"));
    b.put_reply({"bin-manager.agent.request", "m1", at_ms(5000), "agent's"});
    b.put_reply(a_reply(std::string(300, 'm'), 5000, "long"));
  });
  store.reopen();
  EXPECT_EQ((*store->find_reply("bin-manager.call.request", "m1"))->bytes, "one");
  EXPECT_EQ((*store->find_reply("bin-manager.agent.request", "m1"))->bytes, "agent's");
  EXPECT_EQ((*store->find_reply("bin-manager.call.request", std::string(300, 'm')))->bytes, "long");
  EXPECT_EQ((*store->find_reply("bin-manager.call.request", "m1"))->expires, at_ms(5000));
  EXPECT_FALSE(*store->find_reply("bin-manager.call.request", "m2"));
}

TEST(environment, expiry_deletes_what_is_over_and_nothing_else) {
  temporary_store store;
  commit(*store, [](batch& b) {
    for (int i = 0; i < 1700; ++i) // several times what one group expires
      b.put_reply(a_reply("old" + std::to_string(i), 1000 + i % 7));
    b.put_reply(a_reply("on_the_dot", 2000));
    b.put_reply(a_reply("later", 2001));
    b.put_reply(a_reply("replaced", 1500));
    b.append_journal(a_line("c1", 1, 400));
    b.append_journal(a_line("c1", 2, 500));
    b.append_journal(a_line("c1", 3, 600));
  });
  commit(*store, [](batch& b) { b.put_reply(a_reply("replaced", 9000, "newer")); });
  store->expire(at_ms(2000), at_ms(500));
  ASSERT_TRUE(store->flush());
  for (int i = 0; i < 1700; ++i)
    ASSERT_FALSE(*store->find_reply("bin-manager.call.request", "old" + std::to_string(i))) << i;
  EXPECT_TRUE(*store->find_reply("bin-manager.call.request", "on_the_dot"));
  EXPECT_TRUE(*store->find_reply("bin-manager.call.request", "later"));
  EXPECT_EQ((*store->find_reply("bin-manager.call.request", "replaced"))->bytes, "newer");
  EXPECT_THAT(journal_sequences(*store, "c1"), ElementsAre(2, 3));
  store->expire(at_ms(10'000), at_ms(500));
  ASSERT_TRUE(store->flush());
  EXPECT_FALSE(*store->find_reply("bin-manager.call.request", "replaced"));
}

TEST(environment, timers_are_replaced_by_name_and_listed_by_entity_and_name) {
  temporary_store store;
  commit(*store, [](batch& b) {
    b.put_timer(a_timer("ring", 3000));
    b.put_timer(a_timer("hold", 1000));
    b.put_timer(a_timer("ring", 2000, "c2"));
  });
  EXPECT_THAT(timers(*store), ElementsAre("c1/hold@1000", "c1/ring@3000", "c2/ring@2000"));
  commit(*store, [](batch& b) { b.put_timer(a_timer("ring", 500)); });
  EXPECT_THAT(timers(*store), ElementsAre("c1/hold@1000", "c1/ring@500", "c2/ring@2000"));
  commit(*store, [](batch& b) {
    b.delete_timer("call", "c1", "hold");
    b.delete_timer("call", "c1", "unknown");
  });
  store.reopen();
  EXPECT_THAT(timers(*store), ElementsAre("c1/ring@500", "c2/ring@2000"));
}

TEST(environment, all_timers_of_an_entity_go_at_once_and_no_others) {
  temporary_store store;
  commit(*store, [](batch& b) {
    b.put_timer(a_timer("ring", 1));
    b.put_timer(a_timer("hold", 2));
    b.put_timer(a_timer("ring", 3, "c12"));
  });
  commit(*store, [](batch& b) {
    b.put_timer(a_timer("brief", 4));
    b.delete_timers("call", "c1");
    b.put_timer(a_timer("wrap_up", 5));
  });
  EXPECT_THAT(timers(*store), ElementsAre("c1/wrap_up@5", "c12/ring@3"));
}

TEST(environment, indexes_keep_one_entry_for_each_record) {
  temporary_store store;
  for (std::int64_t i = 0; i < 20; ++i)
    commit(*store, [&](batch& b) {
      b.put_entity(an_entity("c1", i));
      b.put_entity(an_entity("gone", i));
    });
  commit(*store, [](batch& b) { b.delete_entity("call", "gone"); });
  const auto path = store.path();
  store.close();
  const auto files = lmdb_files::open(path, 256u << 20, true);
  ASSERT_TRUE(files);
  read_txn txn{**files};
  read_cursor at{txn, table::entities_by_time};
  int entries = 0;
  for (bool found = at.seek({"\0", 1}); found; found = at.next())
    ++entries;
  EXPECT_EQ(entries, 1);
}

TEST(environment, the_outbox_is_listed_by_number) {
  temporary_store store;
  commit(*store, [](batch& b) {
    b.put_outbox({300, 1, "third"});
    b.put_outbox({2, 1, "first"});
    b.put_outbox({255, 1, "second"});
  });
  commit(*store, [](batch& b) { b.delete_outbox(255); });
  store.reopen();
  std::vector<std::string> found;
  ASSERT_TRUE(store->each_outbox([&](outbox_record&& one) { return found.push_back(one.bytes), true; }));
  EXPECT_THAT(found, ElementsAre("first", "third"));
}

TEST(environment, a_visitor_may_read_and_write_itself) {
  temporary_store store;
  commit(*store, [](batch& b) {
    b.put_outbox({1, 0, "c1"});
    b.put_entity(an_entity("c1", 1));
  });
  ASSERT_TRUE(store->each_outbox([&](outbox_record&& one) {
    EXPECT_TRUE(*store->find_entity("call", one.bytes));
    commit(*store, [&](batch& b) { b.delete_outbox(one.number); });
    return true;
  }));
  ASSERT_TRUE(store->each_outbox([](outbox_record&&) { return ADD_FAILURE(), true; }));
}

TEST(environment, numbers_grow_over_a_restart) {
  temporary_store store;
  EXPECT_EQ(store->incarnation(), 0u);
  const auto first = store->take_positions(10);
  EXPECT_GT(first, 0u);
  EXPECT_EQ(store->take_positions(), first + 10);
  const auto queue = store->next_queue_number();
  EXPECT_EQ(store->next_queue_number(), queue + 1);
  store.reopen();
  EXPECT_EQ(store->incarnation(), 1u);
  EXPECT_GT(store->take_positions(), first + 10);
  EXPECT_GT(store->next_queue_number(), queue + 1);
}

TEST(environment, numbers_grow_over_a_restart_also_beyond_a_reserved_block) {
  temporary_store store;
  const auto last = store->take_positions(5'000'000) + 4'999'999;
  queue_number queue = 0;
  for (int i = 0; i < 5000; ++i)
    queue = store->next_queue_number();
  commit(*store, [&](batch& b) { b.put_message(queue, last, text_message("far")); });
  store.reopen();
  EXPECT_GT(store->take_positions(), last);
  EXPECT_GT(store->next_queue_number(), queue);
  EXPECT_THAT(bodies(*store, queue), ElementsAre("far"));
}

TEST(environment, statistics_tell_what_is_used) {
  temporary_store store;
  EXPECT_EQ(store->stats().map_bytes_max, 256u << 20);
  commit(*store, [](batch& b) {
    for (position at = 1; at <= 100; ++at)
      b.put_message(1, at, text_message(std::string(10'000, 'x')));
  });
  EXPECT_EQ(bodies(*store, 1).size(), 100u); // a visit brings it from the log to LMDB
  const auto full = store->stats();
  EXPECT_EQ(full.operations, 100u);
  EXPECT_EQ(full.waiting_bytes, 0u);
  EXPECT_GT(full.map_bytes_used, 1'000'000u);
  EXPECT_LT(full.map_bytes_used, 2'000'000u);
  commit(*store, [](batch& b) { b.delete_queue_messages(1); });
  EXPECT_TRUE(bodies(*store, 1).empty());
  EXPECT_LT(store->stats().map_bytes_used, 100'000u);
}

} // namespace
} // namespace switchboard::store
