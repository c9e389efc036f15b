D& 
DROP 



${__to:date:YYYY
 M`M} -YYY-M`M} lag ${__to:YYM} day 