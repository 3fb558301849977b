"""Which socket a message leaves by, connections that we make, limits, and addresses that move."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import uvloop

from pbx.errors import StartError
from pbx.locale import choose
from pbx.net.transport import StreamPort
from pbx.sip.flow import Address
from tests.net.office import HOSTS, WITHIN_S, Listener, NewOffice, Office, UdpPeer, options

REPOSITORY = Path(__file__).parents[2]


class TestRfc3261Section18_1_1:
    """Requests to a TCP peer: by the connection that is there, else by one made for them."""

    async def test_connection_is_made_on_demand_and_kept(self, office: Office) -> None:
        async with Listener() as phone:
            flow = office.flow(phone.port)
            office.transport.send(b"1", flow)
            office.transport.send(b"2", flow)
            client = await phone.client()
            assert await client.read(2) == b"12"
            office.transport.send(b"3", flow)
            assert await client.read(1) == b"3"
            assert phone.clients.empty()
            assert office.failures == []

    async def test_answers_come_by_the_connection_that_we_made(self, office: Office) -> None:
        async with Listener() as phone:
            office.transport.send(b"1", office.flow(phone.port))
            client = await phone.client()
            client.write(options("answer"))
            assert await office.messages(1) == [options("answer")]
            _, flow = office.received[0]
            assert flow.connection
            assert flow.remote.port == phone.port
            assert flow.local.port == office.port

    async def test_connection_leaves_from_the_address_that_the_peer_knows(
        self, office: Office
    ) -> None:
        async with Listener() as phone:
            office.transport.send(b"1", office.flow(phone.port, local="127.0.0.2"))
            client = await phone.client()
            assert client.writer.get_extra_info("peername")[0] == "127.0.0.2"

    async def test_address_that_has_gone_is_no_obstacle(self, office: Office) -> None:
        async with Listener() as phone:
            office.transport.send(b"1", office.flow(phone.port, local="192.0.2.200"))
            assert await (await phone.client()).read(1) == b"1"

    async def test_connection_that_a_peer_made_is_used_again(self, office: Office) -> None:
        client, flow = await office.phone()
        office.transport.send(b"x", office.flow(flow.remote.port))
        assert await client.read(1) == b"x"

    async def test_refused(self, office: Office) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            flow = office.flow(closed.getsockname()[1])
            office.transport.send(b"1", flow)
            office.transport.send(b"2", flow)
            await office.until(lambda: len(office.failures) == 2)
        assert [failed for failed, _ in office.failures] == [flow, flow]
        assert all("refused" in why.lower() or "failed" in why for _, why in office.failures)

    async def test_refused_once_is_tried_again(self, office: Office) -> None:
        async with Listener() as phone:
            port = phone.port
        office.transport.send(b"1", office.flow(port))
        await office.failure()
        with socket.create_server(("127.0.0.1", port)) as listener:
            office.transport.send(b"2", office.flow(port))
            listener.setblocking(False)
            loop = asyncio.get_running_loop()
            end, _ = await asyncio.wait_for(loop.sock_accept(listener), WITHIN_S)
            with end:
                assert await asyncio.wait_for(loop.sock_recv(end, 9), WITHIN_S) == b"2"

    async def test_no_answer_to_connecting(self, new_office: NewOffice) -> None:
        office = new_office(connect_s=0.2)
        await office.transport.open(["127.0.0.1"])
        with socket.socket() as deaf, socket.socket() as first:
            deaf.bind(("127.0.0.1", 0))
            # A queue of one, and that one is taken: the kernel lets further SYNs drop.
            deaf.listen(0)
            first.connect(deaf.getsockname())
            flow = office.flow(deaf.getsockname()[1])
            office.transport.send(b"1", flow)
            assert await office.failure() == (flow, "no connection within 0.2 s")

    async def test_peer_that_hangs_up_at_once(self, office: Office) -> None:
        """One connection, one failure; it isn't made again and again."""
        async with Listener() as phone:
            office.transport.send(b"1", office.flow(phone.port))
            (await phone.client()).close()
            flow, _ = await office.failure()
            assert flow.remote.port == phone.port
            assert phone.clients.empty()


async def later() -> None:
    """Return when the event loop's clock, which counts milliseconds, has moved on."""
    await asyncio.sleep(0.002)


class TestHostLimit:
    """What one host has open, that nothing needs, keeps nobody else out."""

    @pytest.fixture
    async def busy(self, new_office: NewOffice) -> Office:
        office = new_office(connections_limit=8, host_limit=3)
        await office.transport.open(HOSTS)
        return office

    async def test_a_host_makes_room_for_itself(self, busy: Office) -> None:
        honest = [await busy.phone("::1") for _ in range(3)]
        flood = [await busy.phone() for _ in range(20)]
        for client, _ in flood[:-3]:
            await client.ended()
        for client, flow in [*honest, *flood[-3:]]:
            busy.transport.send(b"x", flow)
            assert await client.read(1) == b"x"
        assert [why for _, why in busy.failures] == ["too many connections of one host"] * 17

    async def test_what_is_needed_does_not_count(self, busy: Office) -> None:
        """Phones behind one address, as many as there are."""
        phones = []
        for _ in range(7):
            phones.append(await busy.phone())
            busy.needed.add(phones[-1][1].connection)
        for client, flow in phones:
            busy.transport.send(b"x", flow)
            assert await client.read(1) == b"x"
        assert busy.failures == []

    async def test_a_needed_one_never_makes_room(self, busy: Office) -> None:
        client, flow = await busy.phone()
        busy.needed.add(flow.connection)
        await later()
        flood = [await busy.client() for _ in range(20)]
        for one in flood[:-3]:
            await one.ended()
        busy.transport.send(b"x", flow)
        assert await client.read(1) == b"x"


class TestConnectionsLimit:
    """When there are too many, what nobody needs makes room; phones never do."""

    @pytest.fixture
    async def small(self, new_office: NewOffice) -> Office:
        office = new_office(connections_limit=3)
        await office.transport.open(HOSTS)
        return office

    async def test_the_one_that_has_been_idle_for_longest_goes(self, small: Office) -> None:
        (oldest, one), (second, two) = await small.phone(), await small.phone()
        await small.phone()
        await later()
        oldest.write(options())
        await small.messages(4)
        await small.phone()
        assert await second.ended() == b""
        assert small.failures == [(two, "too many connections")]
        small.transport.send(b"x", one)
        assert await oldest.read(1) == b"x"

    async def test_whether_it_has_spoken_or_not(self, small: Office) -> None:
        """A stranger that spoke once is in nobody's way who comes now, and is about to register."""
        strangers = [await small.phone() for _ in range(3)]
        await later()
        for client, _ in strangers:
            newcomer = await small.client()
            assert await client.ended() == b""
            newcomer.write(options())
        assert await small.messages(6)
        assert [flow for flow, _ in small.failures] == [flow for _, flow in strangers]

    async def test_needed_ones_stay_and_the_new_one_goes(self, small: Office) -> None:
        phones = [await small.phone() for _ in range(3)]
        small.needed = {flow.connection for _, flow in phones}
        for _ in range(10):
            late = await small.client("::1")
            assert await late.ended() == b""
        for client, flow in phones:
            small.transport.send(b"x", flow)
            assert await client.read(1) == b"x"
        assert small.failures == []

    async def test_our_own_connection_fails_once(self, small: Office) -> None:
        phones = [await small.phone() for _ in range(3)]
        small.needed = {flow.connection for _, flow in phones}
        async with Listener() as phone:
            flow = small.flow(phone.port)
            small.transport.send(b"x", flow)
            assert await small.failure() == (flow, "the connection ended at once")
            await (await phone.client()).ended()
            assert phone.clients.empty()

    async def test_flood_leaves_the_phones_alone(self, small: Office) -> None:
        client, flow = await small.phone()
        small.needed = {flow.connection}
        flood = [await small.client() for _ in range(50)]
        for one in flood[:-2]:
            await one.ended()
        small.transport.send(b"x", flow)
        assert await client.read(1) == b"x"

    async def test_out_of_descriptors(self, port: int) -> None:
        """EMFILE on accept costs that moment's connections, not the port."""
        which = "uvloop" if isinstance(asyncio.get_running_loop(), uvloop.Loop) else "asyncio"
        command = (sys.executable, "-m", "tests.net.few_descriptors", str(port), which)
        child = await asyncio.create_subprocess_exec(
            *command, cwd=REPOSITORY, stdout=subprocess.PIPE
        )
        said, _ = await asyncio.wait_for(child.communicate(), 3 * WITHIN_S)
        assert said.decode().rstrip("\n") == options().decode().rstrip("\n")
        assert child.returncode == 0


class TestStart:
    """What stands in the way is said in one sentence; what the machine lacks is left out."""

    async def test_tcp_port_in_use(self, port: int, new_office: NewOffice) -> None:
        choose("en")
        office = new_office()
        with socket.create_server(("127.0.0.2", port)), pytest.raises(StartError) as caught:
            await office.transport.open(HOSTS)
        sentence = f"The TCP port 127.0.0.2:{port} is in use by another program."
        assert caught.value.sentence == sentence

    async def test_connections_of_the_last_run_are_no_obstacle(
        self, office: Office, new_office: NewOffice
    ) -> None:
        """Their TIME_WAIT lasts a minute, a restart a second."""
        phones = [await office.phone() for _ in range(3)]
        await office.transport.close()
        for client, _ in phones:
            await client.ended()
        again = new_office()
        await again.transport.open(HOSTS)

    async def test_address_that_is_not_there_yet(
        self, new_office: NewOffice, caplog: pytest.LogCaptureFixture
    ) -> None:
        office = new_office()
        await office.transport.open(["203.0.113.7", "127.0.0.1"])
        assert office.transport.hosts == ["127.0.0.1"]
        assert "203.0.113.7" in caplog.text

    async def test_none_of_the_addresses(self, new_office: NewOffice) -> None:
        choose("en")
        office = new_office()
        with pytest.raises(StartError, match="none of the network addresses"):
            await office.transport.open(["203.0.113.7", "2001:db8::7"])

    async def test_addresses_as_phones_are_told(self, office: Office) -> None:
        port = office.port
        assert office.transport.addresses == [
            f"udp 127.0.0.1:{port}",
            f"udp 127.0.0.2:{port}",
            f"udp [::1]:{port}",
            f"tcp 127.0.0.1:{port}",
            f"tcp 127.0.0.2:{port}",
            f"tcp [::1]:{port}",
        ]


class TestFollow:
    """Addresses come and go (DHCP, Wi-Fi); calls on the others don't notice."""

    async def test_comes_and_goes(self, port: int, new_office: NewOffice) -> None:
        office = new_office()
        await office.transport.open(["127.0.0.1"])
        with UdpPeer() as peer:
            await office.transport.follow(["127.0.0.2", "0:0::1", "127.0.0.1"])
            assert office.transport.hosts == ["127.0.0.2", "::1", "127.0.0.1"]
            peer.send(b"a", "127.0.0.2", port)
            await office.messages(1)
            client, _ = await office.phone("::1")
            client.close()
            await office.failure()

            await office.transport.follow(["127.0.0.1"])
            assert office.transport.hosts == ["127.0.0.1"]
            with pytest.raises(ConnectionRefusedError):
                await office.client("127.0.0.2")
            peer.send(b"b", "127.0.0.1", port)
            await office.until(lambda: office.received[-1][0] == b"b")

    async def test_address_that_returns(self, new_office: NewOffice) -> None:
        office = new_office()
        await office.transport.open(["127.0.0.1", "127.0.0.2"])
        for _ in range(3):
            await office.transport.follow(["127.0.0.1"])
            await office.transport.follow(["127.0.0.1", "127.0.0.2"])
            assert office.transport.hosts == ["127.0.0.1", "127.0.0.2"]
        await office.phone("127.0.0.2")

    async def test_unusable_address_is_told_and_the_rest_goes_on(
        self, port: int, new_office: NewOffice, caplog: pytest.LogCaptureFixture
    ) -> None:
        choose("en")
        office = new_office()
        await office.transport.open(["127.0.0.1"])
        with socket.create_server(("127.0.0.2", port)):
            await office.transport.follow(["203.0.113.7", "127.0.0.2", "127.0.0.1", "::1"])
        assert office.transport.hosts == ["127.0.0.1", "::1"]
        assert "in use by another program" in caplog.text

    async def test_connections_on_other_addresses_stay(self, office: Office) -> None:
        client, flow = await office.phone("127.0.0.1")
        await office.transport.follow(["::1", "127.0.0.1"])
        office.transport.send(b"x", flow)
        assert await client.read(1) == b"x"


class TestClose:
    """The last messages, BYE to everybody, are delivered."""

    async def test_delivers_what_is_queued(self, office: Office) -> None:
        client, flow = await office.phone()
        data = os.urandom(900_000)
        office.transport.send(data, flow)
        with UdpPeer() as peer:
            peer.send(b"x", "127.0.0.1", office.port)
            await office.messages(2)
            office.transport.send(b"bye", office.received[1][1])
            closing = asyncio.create_task(office.transport.close())
            assert await client.ended() == data
            assert (await peer.receive())[0] == b"bye"
            await closing
        assert office.failures == []

    async def test_peer_that_does_not_read_holds_nobody_up(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pbx.net.stream.LINGER_S", 0.1)
        client, flow = await office.phone()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(100):
            office.transport.send(bytes(100_000), flow)
        await asyncio.wait_for(office.transport.close(), 3)

    async def test_no_connection_is_taken_or_made_any_more(self, office: Office) -> None:
        async with Listener() as phone:
            office.transport.send(b"x", office.flow(phone.port))
            await office.transport.close()
            with pytest.raises(ConnectionRefusedError):
                await office.client()
            assert office.transport.hosts == []

    async def test_closing_twice(self, office: Office) -> None:
        await office.transport.close()
        await office.transport.close()


class TestOwnAddress:
    """What Via and Contact say towards a peer that hasn't spoken to us."""

    async def test_the_one_that_leads_there(self, office: Office) -> None:
        own = office.transport.own_address
        assert own("udp", "127.0.0.1") == Address("127.0.0.1", office.port)
        assert own("tcp", "::1") == Address("::1", office.port)

    async def test_where_we_listen(self, new_office: NewOffice) -> None:
        office = new_office(more=[StreamPort("tls", 15061)])
        await office.transport.open(["127.0.0.2"])
        # The system would take 127.0.0.1, at which no answer would find us.
        assert office.transport.own_address("udp", "127.0.0.1") == Address("127.0.0.2", office.port)
        assert office.transport.own_address("tls", "127.0.0.9") == Address("127.0.0.2", 15061)
        assert office.transport.own_address("udp", "::1") is None

    async def test_no_way_there(self, office: Office) -> None:
        assert office.transport.own_address("udp", "255.255.255.255") is None
