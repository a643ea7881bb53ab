#include "messages/service_names.hpp"

#include <gtest/gtest.h>

namespace switchboard {
namespace {

TEST(service_names, are_the_documented_ones_and_their_alias) {
  EXPECT_EQ(request_queue("call"), "bin-manager.call.request");
  EXPECT_EQ(request_queue_alias("call"), "bin-manager.call-manager.request");
  EXPECT_EQ(event_exchange("conference"), "conference.events");
}

TEST(service_of_route, knows_the_owner_of_every_route_we_serve) {
  const std::pair<const char*, const char*> owners[] = {{"/v1/calls", "call"},
                                                        {"/v1/calls?page_size=10", "call"},
                                                        {"/v1/calls/7/hangup", "call"},
                                                        {"/v1/confbridges", "call"},
                                                        {"/v1/groupcalls/7", "call"},
                                                        {"/v1/channels/7/health-check", "call"},
                                                        {"/v1/recordings", "call"},
                                                        {"/v1/external-medias", "call"},
                                                        {"/v1/conferences/7", "conference"},
                                                        {"/v1/conferencecalls/7", "conference"},
                                                        {"/v1/services/type/conferencecall", "conference"},
                                                        {"/v1/agents/7/status", "agent"},
                                                        {"/v1/login", "agent"},
                                                        {"/v1/queues", "queue"},
                                                        {"/v1/queuecalls/reference_id/7", "queue"},
                                                        {"/v1/services/type/queuecall", "queue"},
                                                        {"/v1/services/type/queuecall?x=1", "queue"},
                                                        {"/v1/messages", "message"},
                                                        {"/v1/chats/7/messages", "talk"},
                                                        {"/v1/billing_accounts/7", "billing"},
                                                        {"/v1/billings", "billing"},
                                                        {"/v1/transcribes", "transcribe"},
                                                        {"/v1/activeflows", "flow"},
                                                        {"/v1/widgets", "widget"},
                                                        {"/v1/news/7", "new"},
                                                        {"/v1/my-widgets_2", "my-widgets_2"}};
  for (const auto& [route, service] : owners)
    EXPECT_EQ(service_of_route(route), service) << route;
}

TEST(service_of_route, has_no_answer_to_anything_else) {
  for (const auto& route :
       {std::string{}, std::string{"/"}, std::string{"/v1"}, std::string{"/v1/"}, std::string{"/v1/?x"},
        std::string{"/v2/calls"}, std::string{"v1/calls"}, std::string{"/v1//calls"}, std::string{"/v1/Calls"},
        std::string{"/v1/s"}, std::string{"/v1/../calls"}, std::string{"/v1/call.s"}, std::string{"/v1/calls#x"},
        std::string{"/v1/services/type/"}, std::string{"/v1/services/type/other"}, std::string{"/v1/caf\xc3\xa9s"},
        std::string{"/v1/calls\0", 10}, "/v1/" + std::string(65, 'a')})
    EXPECT_EQ(service_of_route(route), std::nullopt) << route;
}

} // namespace
} // namespace switchboard
