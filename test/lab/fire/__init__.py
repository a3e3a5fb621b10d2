# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile inputs and outages of the metadata service, one row of a table each.

    case.py         what a row is, and the words to write one with
    odd_server.py   Rancher's API by a server that can be wrong in every way
    odd_dns.py      a name server of the same kind
    stand.py        the lab with it: acts, looks, heals, writes the table
    transport.py    rows: the way to the service, TLS, HTTP
    documents.py    rows: what Rancher's documents say
    changes.py      rows: ETags, versions, /changes
    mesh_file.py    rows: mesh.json as the source
    disk.py         rows: what is stored, restarts

Each row is shown against a sennitd whose tunnel to a peer carries numbered
packets all the time: test_fire.py.
"""
