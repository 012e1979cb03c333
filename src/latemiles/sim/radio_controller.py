"""Bumble's controller as the virtual radio needs it: back-pressure, resets, attempts that are given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from bumble import hci, ll
from bumble.controller import Controller

if TYPE_CHECKING:
    from latemiles.sim.radio import RadioLink

__all__ = ["AIR_BYTES", "RadioController"]

AIR_BYTES: Final = 251
"""Longest data PDU with the data length extension, bytes."""


class RadioController(Controller):
    """Bumble's controller with back-pressure, and with a connection attempt that can be cancelled."""

    le_acl_data_packet_length = AIR_BYTES
    total_num_le_acl_data_packets = 12

    def on_hci_acl_data_packet(self, packet: hci.HCI_AclDataPacket) -> None:
        """Pass data on; the credit goes back when the radio has sent it, not before."""
        link = cast("RadioLink | None", self.link)
        connection = self.find_connection_by_handle(packet.connection_handle)
        if connection is None or link is None:
            return
        before = link.accepted
        connection.assembler.feed_packet(packet)
        if link.accepted == before:
            # A fragment: the radio sends the whole.
            self.give_credit(connection.handle)

    def give_credit(self, handle: int) -> None:
        """Tell the host that one of its packets has left."""
        self.send_hci_packet(
            hci.HCI_Number_Of_Completed_Packets_Event(connection_handles=[handle], num_completed_packets=[1])
        )

    def on_hci_reset_command(self, command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """Reset: every link is dropped, as a real controller does."""
        self.pending_le_connection = None
        self.le_scan_enable = False
        self.le_legacy_advertiser.stop()
        for connection in list(self.le_connections.values()):
            connection.send_ll_control_pdu(
                ll.TerminateInd(hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR)
            )
            del self.le_connections[connection.peer_address]
        return super().on_hci_reset_command(command)

    def on_hci_le_create_connection_cancel_command(
        self, command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Give a connection attempt up; Bumble 0.0.236 would leave it pending and the host waiting."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is not None:
            self.send_hci_packet(
                hci.HCI_LE_Connection_Complete_Event(
                    status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                    connection_handle=0,
                    role=hci.Role.CENTRAL,
                    peer_address_type=pending.peer_address.address_type,
                    peer_address=pending.peer_address,
                    connection_interval=0,
                    peripheral_latency=0,
                    supervision_timeout=0,
                    central_clock_accuracy=0,
                )
            )
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)
