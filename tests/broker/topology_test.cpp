// The texts are RabbitMQ 3.10.8's, taken from its answers on the wire.
#include "broker/topology.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "broker/amqp_reply.hpp"

namespace switchboard::broker {
namespace {

constexpr const char* default_text = "ACCESS_REFUSED - operation not permitted on the default exchange";
constexpr const char* locked_text =
    "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'Q' in vhost '/'. It could be originally "
    "declared "
    "on another connection or the exclusive property value does not match that of the original declaration.";

template <class T>
std::string what(const expected<T>& result) {
  return result ? "ok" : result.error().what;
}

field_table arguments_of(const char* name, field_value value) {
  field_table made;
  made.set(name, std::move(value));
  return made;
}

class a_topology : public testing::Test {
protected:
  expected<queue_declared> declare(queue_spec spec, bool passive = false) {
    if (spec.owner.empty())
      spec.owner = "me";
    return topology_.declare_queue(spec, passive, [this](const queue_spec& kept) {
      ++made_;
      return std::make_shared<const endpoint>(++number_, kept.name, kept.durable);
    });
  }
  expected<queue_declared> declare_passive(const std::string& name, const std::string& owner = "me") {
    return declare({.name = name, .owner = owner}, true);
  }
  expected<record_changes> exchange(exchange_spec spec, bool passive = false) {
    if (spec.type.empty())
      spec.type = "direct";
    return topology_.declare_exchange(spec, passive);
  }
  expected<record_changes> bind(const std::string& source, const std::string& queue, const std::string& key = "") {
    return topology_.bind({.source = source, .destination = queue, .routing_key = key}, "me");
  }
  expected<record_changes> unbind(const std::string& source, const std::string& queue, const std::string& key = "") {
    return topology_.unbind({.source = source, .destination = queue, .routing_key = key}, "me");
  }
  expected<record_changes> bind_exchange(const std::string& source, const std::string& to) {
    return topology_.bind({.source = source, .destination = to, .to_exchange = true}, "me");
  }
  expected<queue_removed> remove(const std::string& name, queue_counts live = {}, bool if_unused = false,
                                 bool if_empty = false, const std::string& owner = "me") {
    return topology_.delete_queue(name, owner, if_unused, if_empty, live);
  }
  std::set<std::string> routes(const std::string& exchange, const std::string& key) {
    std::vector<const endpoint*> found;
    topology_.snapshot()->route(exchange, key, {}, found);
    std::set<std::string> names;
    for (const auto* each : found)
      names.insert(each->name);
    return names;
  }
  std::size_t bindings() {
    std::size_t count = 0;
    topology_.each_binding([&](const binding_spec&) { ++count; });
    return count;
  }
  bool has_exchange(const std::string& name) { return topology_.snapshot()->has_exchange(name); }

  topology topology_;
  queue_number number_ = 0;
  int made_ = 0;
};

using names = std::set<std::string>;

// -- exchanges ------------------------------------------------------------------------------------------------------

TEST_F(a_topology, a_quorum_queue_is_deleted_without_conditions_only) {
  queue_spec spec{.name = "q", .durable = true};
  spec.arguments.set("x-queue-type", "quorum");
  ASSERT_TRUE(declare(spec));
  EXPECT_EQ(
      remove("q", {}, false, true).error().what,
      "NOT_IMPLEMENTED - cannot delete queue 'q' in vhost '/'. queue.delete operations with if-empty flag set are "
      "not supported by quorum queues");
  EXPECT_EQ(reply_code(remove("q", {}, true, true).error()), 540);
  EXPECT_TRUE(remove("q"));
}

TEST_F(a_topology, knows_the_exchanges_that_every_amqp_server_has) {
  std::map<std::string, std::string> types;
  topology_.each_exchange([&](const exchange_spec& spec) {
    types[spec.name] = spec.type;
    EXPECT_TRUE(spec.durable);
    EXPECT_EQ(spec.internal, spec.name == "amq.rabbitmq.trace");
  });
  EXPECT_EQ(types, (std::map<std::string, std::string>{{"", "direct"},
                                                       {"amq.direct", "direct"},
                                                       {"amq.fanout", "fanout"},
                                                       {"amq.topic", "topic"},
                                                       {"amq.headers", "headers"},
                                                       {"amq.match", "headers"},
                                                       {"amq.rabbitmq.trace", "topic"}}));
}

TEST_F(a_topology, declares_an_exchange_once_and_agrees_to_the_same_again) {
  EXPECT_EQ(what(exchange({.name = "E", .type = "topic"})), "ok");
  EXPECT_EQ(what(exchange({.name = "E", .type = "topic"})), "ok");
  EXPECT_EQ(what(exchange({.name = "E"}, true)), "ok");
  EXPECT_EQ(what(exchange({.name = "\rE\n", .type = "topic"})), "ok");
  EXPECT_TRUE(has_exchange("E"));
}

TEST_F(a_topology, refuses_exchanges_in_rabbitmqs_words) {
  EXPECT_EQ(what(exchange({.name = "Q"}, true)), "NOT_FOUND - no exchange 'Q' in vhost '/'");
  EXPECT_EQ(what(exchange({.name = "Q", .type = "nope"})), "COMMAND_INVALID - unknown exchange type 'nope'");
  EXPECT_EQ(reply_code(exchange({.name = "Q", .type = "nope"}).error()), 503);
  EXPECT_EQ(what(exchange({.name = "amq.probe"})),
            "ACCESS_REFUSED - exchange name 'amq.probe' contains reserved prefix 'amq.*'");
  EXPECT_EQ(what(exchange({.name = ""})), default_text);
  EXPECT_EQ(what(exchange({.name = ""}, true)), default_text);
  EXPECT_EQ(what(exchange({.name = "amq.direct", .durable = true})), "ok");
  EXPECT_EQ(
      what(exchange({.name = "amq.direct", .type = "fanout", .durable = true})),
      "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'amq.direct' in vhost '/': received 'fanout' but "
      "current is 'direct'");
  EXPECT_EQ(what(exchange({.name = "E", .arguments = arguments_of("alternate-exchange", 1)})),
            "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange 'E' in vhost '/'");
  EXPECT_FALSE(has_exchange("E"));
}

TEST_F(a_topology, says_its_vhost_in_every_text) {
  topology other{"calls"};
  EXPECT_EQ(what(other.find_queue("Q", "me")), "NOT_FOUND - no queue 'Q' in vhost 'calls'");
}

TEST_F(a_topology, deletes_exchanges_and_refuses_system_ones) {
  EXPECT_EQ(what(topology_.delete_exchange("nope")), "ok");
  EXPECT_EQ(what(topology_.delete_exchange("")), default_text);
  EXPECT_EQ(what(topology_.delete_exchange("amq.direct")),
            "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed");
  EXPECT_EQ(what(topology_.delete_exchange("amq.nope")),
            "ACCESS_REFUSED - deletion of system exchange 'amq.nope' in vhost '/' not allowed");
  ASSERT_TRUE(exchange({.name = "E"}));
  ASSERT_TRUE(declare({.name = "Q"}));
  ASSERT_TRUE(bind("E", "Q"));
  EXPECT_EQ(what(topology_.delete_exchange("E", true)), "PRECONDITION_FAILED - exchange 'E' in vhost '/' in use");
  EXPECT_EQ(what(topology_.delete_exchange("E")), "ok");
  EXPECT_EQ(bindings(), 0u);
  EXPECT_FALSE(has_exchange("E"));
  ASSERT_TRUE(exchange({.name = "E"})); // anew, and it starts without the old bindings
  EXPECT_EQ(what(topology_.delete_exchange("E", true)), "ok");
}

TEST_F(a_topology, an_exchange_is_unused_if_others_lead_to_it_and_it_leads_nowhere) {
  ASSERT_TRUE(exchange({.name = "E"}));
  ASSERT_TRUE(bind_exchange("amq.fanout", "E"));
  EXPECT_EQ(what(topology_.delete_exchange("E", true)), "ok");
  EXPECT_EQ(bindings(), 0u);
}

TEST_F(a_topology, an_auto_delete_exchange_goes_with_its_last_binding_and_takes_others_along) {
  for (const auto* name : {"A", "B", "C"})
    ASSERT_TRUE(exchange({.name = name, .type = "fanout", .auto_delete = true}));
  ASSERT_TRUE(declare({.name = "Q"}));
  ASSERT_TRUE(bind_exchange("A", "B"));
  ASSERT_TRUE(bind_exchange("B", "C"));
  ASSERT_TRUE(bind("C", "Q", "1"));
  ASSERT_TRUE(bind("C", "Q", "2"));
  ASSERT_TRUE(unbind("C", "Q", "1"));
  EXPECT_TRUE(has_exchange("C"));
  ASSERT_TRUE(unbind("C", "Q", "2"));
  for (const auto* name : {"A", "B", "C"})
    EXPECT_FALSE(has_exchange(name)) << name;
  EXPECT_EQ(bindings(), 0u);
}

TEST_F(a_topology, an_auto_delete_exchange_that_never_had_a_binding_stays) {
  ASSERT_TRUE(exchange({.name = "E", .auto_delete = true}));
  ASSERT_TRUE(declare({.name = "Q"}));
  ASSERT_TRUE(unbind("E", "Q"));
  ASSERT_TRUE(remove("Q"));
  EXPECT_TRUE(has_exchange("E"));
}

TEST_F(a_topology, a_queue_takes_its_bindings_and_auto_delete_exchanges_along) {
  ASSERT_TRUE(exchange({.name = "E", .auto_delete = true}));
  ASSERT_TRUE(declare({.name = "Q"}));
  ASSERT_TRUE(bind("E", "Q", "1"));
  ASSERT_TRUE(bind("amq.topic", "Q", "#"));
  ASSERT_TRUE(remove("Q"));
  EXPECT_FALSE(has_exchange("E"));
  EXPECT_EQ(bindings(), 0u);
  ASSERT_TRUE(declare({.name = "Q"}));
  EXPECT_EQ(routes("amq.topic", "x"), names{});
}

TEST_F(a_topology, a_long_chain_of_auto_delete_exchanges_goes_without_deep_recursion) {
  constexpr int length = 20000;
  for (int i = 0; i < length; ++i) {
    ASSERT_TRUE(exchange({.name = std::to_string(i), .auto_delete = true}));
    if (i > 0) {
      ASSERT_TRUE(bind_exchange(std::to_string(i - 1), std::to_string(i)));
    }
  }
  ASSERT_TRUE(topology_.delete_exchange(std::to_string(length - 1)));
  EXPECT_FALSE(has_exchange("0"));
  EXPECT_EQ(bindings(), 0u);
}

// -- queues ---------------------------------------------------------------------------------------------------------

TEST_F(a_topology, makes_a_queue_once_and_gives_it_again) {
  const auto first = declare({.name = "Q"});
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->created);
  const auto again = declare({.name = "Q"});
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->created);
  EXPECT_EQ(again->queue, first->queue);
  EXPECT_EQ(declare_passive("Q")->queue, first->queue);
  EXPECT_EQ(made_, 1);
  EXPECT_EQ(routes("", "Q"), names{"Q"});
  EXPECT_EQ(topology_.snapshot()->find_queue("Q"), first->queue);
}

TEST_F(a_topology, refuses_queues_in_rabbitmqs_words) {
  EXPECT_EQ(what(declare({.name = "amq.probe"})),
            "ACCESS_REFUSED - queue name 'amq.probe' contains reserved prefix 'amq.*'");
  EXPECT_EQ(what(declare_passive("Q")), "NOT_FOUND - no queue 'Q' in vhost '/'");
  EXPECT_EQ(what(declare_passive("amq.probe")), "NOT_FOUND - no queue 'amq.probe' in vhost '/'");
  EXPECT_EQ(what(declare({.name = "amq.rabbitmq.reply-to"})),
            "NOT_FOUND - no queue 'amq.rabbitmq.reply-to' in vhost '/'");
  EXPECT_EQ(what(declare({.name = "Q", .arguments = arguments_of("x-expires", 0)})),
            "PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'Q' in vhost '/': {value_zero,0}");
  EXPECT_EQ(made_, 0);
  ASSERT_TRUE(declare({.name = "Q"}));
  EXPECT_EQ(
      what(declare({.name = "Q", .durable = true})),
      "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'Q' in vhost '/': received 'true' but current is "
      "'false'");
  EXPECT_EQ(
      what(declare({.name = "Q", .arguments = arguments_of("x-message-ttl", std::int16_t{1000})})),
      "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'Q' in vhost '/': received the value '1000' "
      "of type 'short' but current is none");
  EXPECT_EQ(made_, 1);
}

TEST_F(a_topology, names_queues_that_come_without_a_name) {
  names seen;
  for (int i = 0; i < 100; ++i) {
    const auto made = declare({});
    ASSERT_TRUE(made);
    const auto& name = made->queue->name;
    EXPECT_EQ(name.size(), 30u);
    EXPECT_TRUE(name.starts_with("amq.gen-"));
    EXPECT_EQ(name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 8), name.npos);
    EXPECT_TRUE(seen.insert(name).second);
    EXPECT_EQ(routes("", name), names{name});
  }
  EXPECT_EQ(what(declare({.name = *seen.begin()})),
            "ACCESS_REFUSED - queue name '" + *seen.begin() + "' contains reserved prefix 'amq.*'");
  EXPECT_EQ(what(declare_passive(*seen.begin())), "ok");
  EXPECT_EQ(what(declare({.arguments = arguments_of("x-queue-type", "stream")})),
            "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_stream_queue");
}

TEST_F(a_topology, an_exclusive_queue_is_its_owners_alone) {
  ASSERT_TRUE(declare({.name = "Q", .exclusive = true, .owner = "me"}));
  EXPECT_EQ(what(declare({.name = "Q", .exclusive = true, .owner = "me"})), "ok");
  EXPECT_EQ(what(declare_passive("Q", "me")), "ok");
  EXPECT_EQ(what(topology_.find_queue("Q", "me")), "ok");
  EXPECT_EQ(what(declare({.name = "Q", .owner = "me"})), locked_text);
  EXPECT_EQ(what(declare({.name = "Q", .exclusive = true, .owner = "you"})), locked_text);
  EXPECT_EQ(what(declare({.name = "Q", .owner = "you"})), locked_text);
  EXPECT_EQ(what(declare_passive("Q", "you")), locked_text);
  EXPECT_EQ(what(topology_.find_queue("Q", "you")), locked_text);
  EXPECT_EQ(reply_code(topology_.find_queue("Q", "you").error()), 405);
  EXPECT_EQ(what(remove("Q", {}, false, false, "you")), locked_text);
  EXPECT_EQ(what(topology_.bind({.source = "amq.direct", .destination = "Q"}, "you")), locked_text);
  ASSERT_TRUE(bind("amq.direct", "Q"));
  EXPECT_EQ(what(topology_.unbind({.source = "amq.direct", .destination = "Q"}, "you")), locked_text);
  EXPECT_EQ(bindings(), 1u);
  EXPECT_EQ(routes("amq.direct", ""), names{"Q"}); // publishing is anybody's
}

TEST_F(a_topology, a_shared_queue_cannot_be_made_exclusive) {
  ASSERT_TRUE(declare({.name = "Q", .owner = "me"}));
  EXPECT_EQ(what(declare({.name = "Q", .exclusive = true, .owner = "me"})), locked_text);
  EXPECT_EQ(what(declare({.name = "Q", .owner = "you"})), "ok");
  EXPECT_EQ(what(topology_.find_queue("Q", "you")), "ok");
}

TEST_F(a_topology, an_exclusive_queue_is_never_durable) {
  const auto made = declare({.name = "Q", .durable = true, .exclusive = true});
  ASSERT_TRUE(made);
  EXPECT_FALSE(made->queue->durable);
  EXPECT_TRUE(made->changes.empty());
  EXPECT_EQ(what(declare({.name = "Q", .durable = true, .exclusive = true})), "ok");
}

TEST_F(a_topology, tells_which_queues_an_owner_has) {
  ASSERT_TRUE(declare({.name = "b", .exclusive = true, .owner = "me"}));
  ASSERT_TRUE(declare({.name = "a", .exclusive = true, .owner = "me"}));
  ASSERT_TRUE(declare({.name = "c", .exclusive = true, .owner = "you"}));
  ASSERT_TRUE(declare({.name = "d", .owner = "me"}));
  const auto mine = topology_.queues_owned_by("me");
  ASSERT_EQ(mine.size(), 2u);
  EXPECT_EQ(mine[0]->name, "a");
  EXPECT_EQ(mine[1]->name, "b");
  ASSERT_TRUE(remove("a"));
  EXPECT_EQ(topology_.queues_owned_by("me").size(), 1u);
  EXPECT_TRUE(topology_.queues_owned_by("nobody").empty());
}

TEST_F(a_topology, deletes_queues_under_conditions) {
  EXPECT_EQ(remove("Q")->queue, nullptr);
  const auto made = declare({.name = "Q"});
  EXPECT_EQ(what(remove("Q", {.messages = 1}, false, true)), "PRECONDITION_FAILED - queue 'Q' in vhost '/' not empty");
  EXPECT_EQ(what(remove("Q", {.consumers = 1}, true, false)), "PRECONDITION_FAILED - queue 'Q' in vhost '/' in use");
  EXPECT_EQ(what(remove("Q", {.messages = 1, .consumers = 1}, true, true)),
            "PRECONDITION_FAILED - queue 'Q' in vhost '/' not empty");
  const auto gone = remove("Q", {.messages = 1, .consumers = 1});
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->queue, made->queue);
  EXPECT_EQ(what(topology_.find_queue("Q", "me")), "NOT_FOUND - no queue 'Q' in vhost '/'");
  EXPECT_EQ(routes("", "Q"), names{});
}

TEST_F(a_topology, drops_a_queue_only_if_it_is_still_that_one) {
  const auto made = declare({.name = "Q", .exclusive = true, .owner = "you"});
  EXPECT_EQ(topology_.drop_queue("Q", made->queue->number + 1).queue, nullptr);
  EXPECT_EQ(topology_.drop_queue("nope", 1).queue, nullptr);
  EXPECT_EQ(topology_.drop_queue("Q", made->queue->number).queue, made->queue);
  EXPECT_TRUE(topology_.queues_owned_by("you").empty());
}

TEST_F(a_topology, a_queue_whose_actor_cannot_be_made_is_not_there) {
  const auto made =
      topology_.declare_queue({.name = "Q", .owner = "me"}, false, [](const queue_spec&) { return endpoint_ptr{}; });
  EXPECT_EQ(made.error().code, errc::internal);
  EXPECT_EQ(what(declare_passive("Q")), "NOT_FOUND - no queue 'Q' in vhost '/'");
}

// -- bindings -------------------------------------------------------------------------------------------------------

TEST_F(a_topology, refuses_bindings_in_rabbitmqs_words) {
  EXPECT_EQ(what(bind("nope", "Q")), "NOT_FOUND - no exchange 'nope' in vhost '/'");
  EXPECT_EQ(what(bind("amq.direct", "Q")), "NOT_FOUND - no queue 'Q' in vhost '/'");
  EXPECT_EQ(what(bind_exchange("amq.direct", "nope")), "NOT_FOUND - no exchange 'nope' in vhost '/'");
  ASSERT_TRUE(declare({.name = "Q"}));
  EXPECT_EQ(what(bind("nope", "Q")), "NOT_FOUND - no exchange 'nope' in vhost '/'");
  EXPECT_EQ(what(bind("", "Q")), default_text);
  EXPECT_EQ(what(unbind("", "Q")), default_text);
  EXPECT_EQ(what(bind_exchange("amq.direct", "")), default_text);
  const binding_spec headers{.source = "amq.headers", .destination = "Q", .arguments = arguments_of("x-match", "nope")};
  EXPECT_EQ(what(topology_.bind(headers, "me")),
            "PRECONDITION_FAILED - Invalid x-match field value <<\"nope\">>; expected all, any, all-with-x, or "
            "any-with-x");
  auto elsewhere = headers;
  elsewhere.source = "amq.direct";
  EXPECT_EQ(what(topology_.bind(elsewhere, "me")), "ok"); // means nothing there
}

TEST_F(a_topology, unbinding_what_is_not_bound_or_not_there_succeeds) {
  EXPECT_EQ(what(unbind("nope", "Q")), "ok");
  EXPECT_EQ(what(unbind("amq.direct", "Q")), "ok");
  ASSERT_TRUE(declare({.name = "Q"}));
  EXPECT_EQ(what(unbind("amq.direct", "Q")), "ok");
}

TEST_F(a_topology, a_binding_is_known_by_source_destination_key_and_arguments) {
  ASSERT_TRUE(declare({.name = "Q"}));
  const auto bind_with = [&](const field_table& arguments) {
    return topology_.bind({.source = "amq.direct", .destination = "Q", .routing_key = "k", .arguments = arguments},
                          "me");
  };
  field_table ab;
  ab.set("a", 1);
  ab.set("b", 2);
  field_table ba;
  ba.set("b", 2);
  ba.set("a", 1);
  ASSERT_TRUE(bind_with({}));
  ASSERT_TRUE(bind_with({}));
  EXPECT_EQ(bindings(), 1u);
  ASSERT_TRUE(bind_with(ab));
  ASSERT_TRUE(bind_with(ba));
  EXPECT_EQ(bindings(), 2u);
  ASSERT_TRUE(bind("amq.direct", "Q", "other"));
  EXPECT_EQ(bindings(), 3u);
  EXPECT_EQ(routes("amq.direct", "k"), names{"Q"});
  ASSERT_TRUE(unbind("amq.direct", "Q", "k"));
  EXPECT_EQ(routes("amq.direct", "k"), names{"Q"}); // the one with arguments is still there
  ASSERT_TRUE(
      topology_.unbind({.source = "amq.direct", .destination = "Q", .routing_key = "k", .arguments = ba}, "me"));
  EXPECT_EQ(routes("amq.direct", "k"), names{});
}

TEST_F(a_topology, names_that_run_into_each_other_are_kept_apart) {
  for (const auto* name : {"a", "ab"})
    ASSERT_TRUE(exchange({.name = name}));
  for (const auto* name : {"b", "bb"})
    ASSERT_TRUE(declare({.name = name}));
  ASSERT_TRUE(bind("a", "bb", "k"));
  ASSERT_TRUE(bind("ab", "b", "k"));
  ASSERT_TRUE(topology_.delete_exchange("a"));
  EXPECT_EQ(bindings(), 1u);
  EXPECT_EQ(routes("ab", "k"), names{"b"});
}

TEST_F(a_topology, a_call_that_fails_changes_nothing) {
  ASSERT_TRUE(declare({.name = "Q"}));
  const auto before = topology_.snapshot();
  EXPECT_FALSE(bind("nope", "Q"));
  EXPECT_FALSE(exchange({.name = "amq.x"}));
  EXPECT_FALSE(declare({.name = "Q", .durable = true}));
  EXPECT_FALSE(remove("Q", {.consumers = 1}, true));
  EXPECT_FALSE(topology_.delete_exchange("amq.topic"));
  EXPECT_EQ(topology_.snapshot(), before);
}

// -- durable records ------------------------------------------------------------------------------------------------

/// The log as the changes make it.
class a_durable_topology : public a_topology {
protected:
  void keep(const record_changes& changes) {
    for (const auto& [key, bytes] : changes) {
      if (bytes)
        log_[key] = *bytes;
      else
        EXPECT_EQ(log_.erase(key), 1u) << "deletes what was never written: " << key;
    }
  }
  template <class T>
  void keep(const expected<T>& result) {
    ASSERT_TRUE(result) << result.error().what;
    if constexpr (std::is_same_v<T, record_changes>)
      keep(*result);
    else
      keep(result->changes);
  }
  expected<void> restore(topology& into) {
    std::vector<topology_record> records;
    for (const auto& [key, bytes] : log_) {
      auto record = decode_record(key, bytes);
      if (!record)
        return record.error();
      records.push_back(*std::move(record));
    }
    return into.restore(std::move(records), [](const queue_spec& spec, queue_number number) {
      return std::make_shared<const endpoint>(number, spec.name, true);
    });
  }

  std::map<std::string, std::string> log_;
};

TEST_F(a_durable_topology, keeps_where_the_messages_of_a_delayed_exchange_wait) {
  const auto declare_delayed = [this](const std::string& name, field_table arguments, bool auto_delete = false) {
    return topology_.declare_exchange({.name = name,
                                       .type = "x-delayed-message",
                                       .durable = true,
                                       .auto_delete = auto_delete,
                                       .arguments = arguments},
                                      false, [this](const exchange_spec& spec) {
                                        return std::make_shared<const endpoint>(++number_, spec.name, spec.durable,
                                                                                endpoint_kind::delay);
                                      });
  };
  const auto direct = arguments_of("x-delayed-type", "direct");
  number_ = 40;
  keep(declare_delayed("D", direct));
  EXPECT_TRUE(declare_delayed("D", direct)->empty()) << "it is there";
  EXPECT_EQ(number_, 41u);
  const std::string no_type =
      "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type";
  EXPECT_EQ(declare_delayed("E", {}).error().what, no_type);
  EXPECT_EQ(declare_delayed("E", arguments_of("x-delayed-type", 5)).error().what, no_type);
  EXPECT_EQ(declare_delayed("E", arguments_of("x-delayed-type", "x-delayed-message")).error().what, no_type);
  EXPECT_EQ(declare_delayed("E", arguments_of("x-delayed-type", "nope")).error().what,
            "COMMAND_INVALID - unknown exchange type 'nope'");

  topology restored;
  std::vector<topology_record> records;
  for (const auto& [key, bytes] : log_)
    records.push_back(*decode_record(key, bytes));
  queue_number found = 0;
  ASSERT_TRUE(restored.restore(
      std::move(records), [](const queue_spec&, queue_number) { return nullptr; },
      [&](const exchange_spec& spec, queue_number number) {
        EXPECT_EQ(spec.name, "D");
        found = number;
        return std::make_shared<const endpoint>(number, spec.name, true, endpoint_kind::delay);
      }));
  EXPECT_EQ(found, 41u);
  EXPECT_TRUE(restored.take_removed_delays().empty());
  ASSERT_TRUE(restored.delete_exchange("D"));
  const auto removed = restored.take_removed_delays();
  ASSERT_EQ(removed.size(), 1u);
  EXPECT_EQ(removed.front()->number, 41u);

  keep(declare_delayed("A", direct, /*auto_delete*/ true)); // goes with its last binding, and its messages with it
  keep(declare({.name = "q", .durable = true}));
  keep(bind("A", "q", "k"));
  ASSERT_TRUE(remove("q"));
  EXPECT_EQ(topology_.take_removed_delays().size(), 1u);
}

TEST_F(a_durable_topology, only_durable_things_and_bindings_between_them_are_recorded) {
  keep(declare({.name = "durable", .durable = true}));
  keep(declare({.name = "transient"}));
  keep(exchange({.name = "E", .type = "topic", .durable = true}));
  keep(exchange({.name = "T", .type = "topic"}));
  keep(bind("E", "durable", "a.#"));
  keep(bind("E", "transient", "a.#"));
  keep(bind("T", "durable", "a.#"));
  keep(bind("amq.direct", "durable", "k"));
  keep(bind_exchange("E", "amq.fanout"));
  keep(bind_exchange("E", "T"));
  names keys;
  for (const auto& [key, bytes] : log_)
    keys.insert(key);
  EXPECT_EQ(keys, (names{"exchange/%2F/E", "queue/%2F/durable", "binding/%2F/1", "binding/%2F/4", "binding/%2F/5"}));
}

TEST_F(a_durable_topology, comes_back_from_its_records) {
  keep(declare({.name = "q/1", .durable = true, .arguments = arguments_of("x-message-ttl", 60000)}));
  keep(declare({.name = "gone", .durable = true}));
  keep(exchange({.name = "E", .type = "topic", .durable = true, .auto_delete = true}));
  keep(bind("E", "gone", "x")); // goes again, and leaves a gap in the numbers
  keep(bind("E", "q/1", "call.*"));
  keep(bind("amq.direct", "q/1", "k"));
  keep(bind_exchange("amq.topic", "E"));
  keep(remove("gone"));
  topology restored;
  ASSERT_EQ(what(restore(restored)), "ok");
  std::vector<const endpoint*> found;
  restored.snapshot()->route("E", "call.1", {}, found);
  restored.snapshot()->route("amq.direct", "k", {}, found);
  restored.snapshot()->route("", "q/1", {}, found);
  ASSERT_EQ(found.size(), 3u);
  for (const auto* each : found) {
    EXPECT_EQ(each->number, 1u);
    EXPECT_EQ(each->name, "q/1");
  }
  EXPECT_EQ(what(restored.find_queue("gone", "me")), "NOT_FOUND - no queue 'gone' in vhost '/'");
  // Rules hold as before, and new bindings don't take the numbers of old ones.
  const auto same = restored.declare_queue(
      {.name = "q/1", .durable = true, .arguments = arguments_of("x-message-ttl", 60000), .owner = "me"}, false, {});
  EXPECT_EQ(what(same), "ok");
  const auto bound = restored.bind({.source = "amq.fanout", .destination = "q/1"}, "me");
  ASSERT_TRUE(bound);
  ASSERT_EQ(bound->size(), 1u);
  EXPECT_FALSE(log_.contains(bound->front().key));
  std::size_t left = 0;
  const auto removed = restored.delete_queue("q/1", "me", false, false, {});
  for (const auto& [key, bytes] : removed->changes)
    left += log_.erase(key);
  EXPECT_EQ(left, 5u); // the queue, two bindings to it, the auto-delete exchange, the binding to that
  EXPECT_TRUE(log_.empty());
}

TEST_F(a_durable_topology, deleting_deletes_every_record_and_nothing_else) {
  keep(declare({.name = "Q", .durable = true}));
  keep(declare({.name = "stays", .durable = true}));
  keep(exchange({.name = "E", .durable = true, .auto_delete = true}));
  keep(bind("E", "Q"));
  keep(bind("amq.direct", "Q"));
  keep(bind("amq.direct", "Q"));
  keep(bind("amq.direct", "stays"));
  keep(unbind("amq.direct", "Q"));
  keep(unbind("amq.direct", "Q"));
  keep(remove("Q"));
  EXPECT_EQ(log_.size(), 2u); // "stays" and its binding
  keep(remove("stays"));
  EXPECT_TRUE(log_.empty());
}

TEST_F(a_durable_topology, records_that_do_not_fit_each_other_are_corrupt) {
  const binding_spec binding{.source = "amq.direct", .destination = "Q"};
  const auto refuses = [&](const char* reason) {
    topology fresh;
    const auto done = restore(fresh);
    ASSERT_FALSE(done) << reason;
    EXPECT_EQ(done.error().code, errc::corrupt) << reason;
    log_.clear();
  };
  log_[binding_key("/", 1)] = encode_binding(binding);
  refuses("a binding without its queue");
  log_[exchange_key("/", "amq.direct")] = encode_exchange({.name = "amq.direct", .type = "direct"});
  refuses("a predeclared exchange");
  log_[exchange_key("/", "E")] = encode_exchange({.name = "E", .type = "nope"});
  refuses("an unknown type");
  log_[queue_key("/", "")] = encode_queue({.name = ""}, 1);
  refuses("a queue without a name");
  log_[queue_key("other", "Q")] = encode_queue({.name = "Q"}, 1);
  refuses("another vhost");
  log_[queue_key("/", "Q")] = encode_queue({.name = "Q"}, 1);
  log_[binding_key("/", 1)] = encode_binding(binding);
  log_[binding_key("/", 2)] = encode_binding(binding);
  refuses("one binding twice");
  log_[queue_key("/", "Q")] = encode_queue({.name = "Q"}, 1);
  log_[binding_key("/", 1)] = encode_binding({.source = "", .destination = "Q"});
  refuses("a binding of the default exchange");
}

TEST_F(a_durable_topology, random_changes_come_back_from_the_records_as_they_were) {
  std::uint32_t seed = 17;
  const auto dice = [&](std::uint32_t sides) { return (seed = seed * 1664525 + 1013904223) / 65536 % sides; };
  const auto name = [&](const char* kind) { return kind + std::to_string(dice(5)); };
  for (int step = 0; step < 3000; ++step) {
    switch (dice(7)) {
    case 0:
      if (const auto made = declare({.name = name("q"), .durable = true}))
        keep(made);
      break;
    case 1:
      if (const auto made =
              exchange({.name = name("e"), .type = "fanout", .durable = true, .auto_delete = dice(2) == 0}))
        keep(made);
      break;
    case 2:
    case 3:
      if (const auto made = bind(name("e"), name("q"), name("k")))
        keep(made);
      if (const auto made = bind_exchange(name("e"), name("e")))
        keep(made);
      break;
    case 4:
      keep(unbind(name("e"), name("q"), name("k")));
      break;
    case 5:
      keep(dice(3) ? expected<record_changes>{record_changes{}} : topology_.delete_exchange(name("e")));
      break;
    case 6:
      if (dice(3) == 0)
        keep(remove(name("q")));
      break;
    }
    if (step % 50 != 0)
      continue;
    topology restored;
    ASSERT_EQ(what(restore(restored)), "ok");
    const auto text_of = [](const topology& from) {
      std::string text;
      from.each_exchange(
          [&](const exchange_spec& each) { text += each.name + " " + (each.auto_delete ? "a" : "") + "\n"; });
      from.each_queue([&](const queue_spec& each, const endpoint_ptr& queue) {
        text += each.name + " " + std::to_string(queue->number) + "\n";
      });
      from.each_binding([&](const binding_spec& each) {
        text += each.source + ">" + each.destination + " " + each.routing_key + "\n";
      });
      return text;
    };
    ASSERT_EQ(text_of(restored), text_of(topology_)) << "step " << step;
  }
}

} // namespace
} // namespace switchboard::broker
