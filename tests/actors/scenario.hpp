// What the actors' tests share: the whole telephone system in virtual time, and short words for what one does with it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "actors/agent/agent.hpp"
#include "actors/call/call.hpp"
#include "actors/conference/conference.hpp"
#include "actors/groupcall/groupcall.hpp"
#include "actors/loopback_trunk/loopback_trunk.hpp"
#include "actors/queue/queue.hpp"
#include "sdk/testing.hpp"

namespace switchboard::telephony {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

inline constexpr const char* tenant = "customer-1";
inline constexpr const char* stays = "+15559876543"; // a far end that answers and stays
inline constexpr const char* busy = "+15559870200";
inline constexpr const char* rings = "+15559870300";
inline constexpr const char* unreachable = "+15559870400";
inline constexpr const char* rejects = "+15559870500";

/// All kinds of actors that make up a call centre.
class scenario : public ::testing::Test {
protected:
  explicit scenario(std::uint64_t seed = 1) : world_(seed) {
    world_.add(sdk::abi_of<&call_type>());
    world_.add(sdk::abi_of<&conference_type>());
    world_.add(sdk::abi_of<&agent_type>());
    world_.add(sdk::abi_of<&queue_type>());
    world_.add(sdk::abi_of<&loopback_trunk_type>());
    world_.add(sdk::abi_of<&loopback_room_type>());
    world_.add(sdk::abi_of<&groupcall_type>());
  }
  ~scenario() override {
    EXPECT_THAT(world_.failures(), IsEmpty());
    EXPECT_TRUE(world_.outside().empty());
  }

  json post(const std::string& route, const json& body = nullptr, int status = 200) {
    return ask("POST", route, body, status);
  }
  json ask(const std::string& method, const std::string& route, const json& body = nullptr, int status = 200) {
    const auto answer = world_.request(method, route, body, tenant);
    EXPECT_EQ(answer.status, status) << method << " " << route << ": " << answer.text;
    return answer.body;
  }

  std::string place_call(const std::string& number, json more = json::object()) {
    more["source"] = {{"type", "tel"}, {"target", "+15551234567"}};
    more["destinations"] = json::array({{{"type", "tel"}, {"target", number}}});
    return post("/v1/calls", more).value("id", "");
  }
  /// A caller who comes in.
  std::string arrive(const std::string& from = "+15557770000") {
    return post("/v1/calls", {{"source", from}, {"destination", "+15551234567"}, {"direction", "incoming"}})
        .value("id", "");
  }
  json call(const std::string& id) { return world_.view("call", id); }
  std::string status(const std::string& type, const std::string& id) {
    const auto shown = world_.view(type, id);
    return shown.is_null() ? "gone" : shown.value("status", "");
  }

  sdk::test_kit::world world_;
};

} // namespace switchboard::telephony
