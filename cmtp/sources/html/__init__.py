"""HTML pages to Article: the page's blocks, which of them are content, and the article made of those.

The page is parsed by resiliparse (the HTML5 rules, so that broken markup ends as in a browser); what is content is
decided here. A page inside a WARC is read by the same functions.
"""
