"""Every child is handed to the right adult: site, roll call, ticket, authority, custody, release, report.

Nothing lives here yet. Until it does, the product neither holds nor releases a child's record.
"""
