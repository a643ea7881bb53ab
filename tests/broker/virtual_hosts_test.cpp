#include "broker/virtual_hosts.hpp"

#include "tests/broker/actor_fixture.hpp"

namespace switchboard::broker {
namespace {

using test::controlled_log;

class vhosts : public testing::Test {
protected:
  void start() {
    auto made = virtual_hosts::start(system, {home.get()}, log, {});
    ASSERT_TRUE(made) << made.error().what;
    all = *std::move(made);
  }
  void stop() {
    if (all)
      for (const auto& each : all->all())
        caf::anon_send_exit(each->topology(), caf::exit_reason::user_shutdown);
    all.reset();
    system.await_all_actors_done();
  }
  void TearDown() override { stop(); }

  expected<void> declare(const broker_ptr& where, std::string name) {
    caf::scoped_actor self{system};
    expected<void> outcome;
    switchboard::broker::declare_queue what;
    what.spec.name = std::move(name);
    what.spec.durable = true;
    what.spec.owner = "test";
    self->request(where->topology(), test::deadline, std::move(what))
        .receive([](const queue_ok&) {}, [&](const caf::error& why) { outcome = from_caf(why); });
    return outcome;
  }

  caf::actor_system_config config;
  caf::actor_system system{config};
  std::unique_ptr<test::thread_home> home = std::make_unique<test::thread_home>(system);
  std::shared_ptr<controlled_log> log = std::make_shared<controlled_log>();
  std::unique_ptr<virtual_hosts> all;
};

TEST_F(vhosts, the_standard_one_is_there_from_the_first_start) {
  start();
  EXPECT_EQ(all->standard()->vhost(), "/");
  EXPECT_EQ(all->find("/"), all->standard());
  EXPECT_FALSE(all->find("other"));
  EXPECT_TRUE(all->access().rules()->find_vhost("/"));
}

TEST_F(vhosts, come_back_with_what_is_in_them) {
  start();
  ASSERT_TRUE(all->put("other", "description", {"tag"}));
  ASSERT_TRUE(declare(all->find("other"), "q"));
  ASSERT_TRUE(declare(all->standard(), "r"));
  stop();
  start();
  ASSERT_TRUE(all->find("other"));
  EXPECT_EQ(all->access().rules()->find_vhost("other")->description, "description");
  EXPECT_TRUE(all->find("other")->routes()->find_queue("q"));
  EXPECT_FALSE(all->find("other")->routes()->find_queue("r"));
  EXPECT_TRUE(all->standard()->routes()->find_queue("r"));
}

TEST_F(vhosts, what_is_deleted_leaves_nothing_behind) {
  start();
  const auto before = log->topology().size();
  ASSERT_TRUE(all->put("other", "", {}));
  ASSERT_TRUE(declare(all->find("other"), "q"));
  ASSERT_TRUE(all->remove("other"));
  EXPECT_FALSE(all->find("other"));
  EXPECT_EQ(log->topology().size(), before);
  EXPECT_EQ(all->remove("other").error().code, errc::not_found);
  EXPECT_EQ(all->remove("/").error().code, errc::access_refused);
}

TEST_F(vhosts, those_who_watch_see_the_ones_that_come) {
  start();
  std::vector<std::string> seen;
  all->each_started([&](const broker_ptr& each) { seen.push_back(each->vhost()); });
  ASSERT_TRUE(all->put("other", "", {}));
  ASSERT_TRUE(all->put("other", "changed", {}));
  EXPECT_EQ(seen, (std::vector<std::string>{"/", "other"}));
}

} // namespace
} // namespace switchboard::broker
